import BroadcasterWire

/// `~/.pgpass`: lines of `host:port:database:user:password`, where `*` stands for anything.
struct PasswordFile {
    private let lines: [[String]]

    /// A file that others may read is passed over, as libpq does.
    init(_ environment: ServerEnvironment, path: String?) {
        let place = path ?? environment.variable("HOME").map { $0 + "/.pgpass" }
        guard let file = place.flatMap(environment.file), file.permissions & 0o077 == 0 else {
            lines = []
            return
        }
        lines = file.text.split(whereSeparator: \.isNewline)
            .filter { !$0.hasPrefix("#") }
            .map(PasswordFile.fields)
    }

    func password(for hosts: [PostgresHost], database: String, user: String) -> String? {
        for host in hosts {
            let (host, port) = PasswordFile.hostAndPort(host)
            let line = lines.first { fields in
                fields.count >= 5
                    && zip(fields, [host, port, database, user]).allSatisfy {
                        $0 == "*" || $0 == $1
                    }
            }
            if let line { return line[4] }
        }
        return nil
    }

    /// A Unix-domain socket in the usual folder is called localhost there.
    private static func hostAndPort(_ host: PostgresHost) -> (String, String) {
        switch host.endpoint {
        case .tcp: (host.name, String(host.port))
        case .unix: ("localhost", String(host.port))
        }
    }

    /// A `\` takes the meaning from the character after it.
    private static func fields(_ line: Substring) -> [String] {
        var fields = [""]
        var isEscaped = false
        for character in line {
            if isEscaped || character != "\\" && character != ":" {
                fields[fields.count - 1].append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                fields.append("")
            }
        }
        return fields
    }
}
