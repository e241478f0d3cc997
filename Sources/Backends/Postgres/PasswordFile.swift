import BroadcasterWire

/// `~/.pgpass`: lines of `host:port:database:user:password`, where `*` stands for anything.
///
/// It is read for each connection, so that a password that is changed there is seen.
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

    func password(for host: PostgresHost, database: String, user: String) -> String? {
        let wanted = [PasswordFile.name(of: host), String(host.port), database, user]
        let line = lines.first { fields in
            fields.count >= 5 && zip(fields, wanted).allSatisfy { $0 == "*" || $0 == $1 }
        }
        return line?[4]
    }

    /// A Unix-domain socket's host is its folder, and the default folder is called localhost (`passwordFromFile` in
    /// fe-connect.c).
    private static func name(of host: PostgresHost) -> String {
        host.name == PostgresHost.socketFolder ? "localhost" : host.name
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
