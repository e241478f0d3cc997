package import BroadcasterWire

/// What a `postgres://` URL, the `PG…` variables and the password file say, in this order, as libpq has it
/// ("Connection URIs", "Environment Variables" and "The Password File" in the Postgres documentation).
package struct PostgresURL: Sendable {
    /// What becomes of a message that `pg_notify` would not take.
    package enum LargePayloads: Hashable, Sendable {
        case split
        case refuse
    }

    package let endpoints: [Endpoint]
    package let user: String
    package let password: String?
    package let database: String
    package let applicationName: String
    /// Command-line options for the server, such as `-c search_path=x`.
    package let serverOptions: String?
    package let largePayloads: LargePayloads
    /// Sends the password in the clear where the server asks for that.
    package let allowsCleartext: Bool

    package static let schemes = ["postgres", "postgresql"]
    private static let defaultPort: UInt16 = 5432
    private static let socketFolder = "/var/run/postgresql"

    package init(_ url: ServerURL, environment: ServerEnvironment) throws(URLError) {
        var options = url.options
        let variable = environment.variable
        let name = try options.take("host")
        let address = try options.take("hostaddr")
        let hostOption = name ?? address
        let portOption = try options.take("port")
        endpoints = try PostgresURL.endpoints(
            url.hosts, host: hostOption, port: portOption ?? variable("PGPORT"), environment)
        let login = [url.user, try options.take("user"), variable("PGUSER"), environment.userName]
        guard let user = login.compactMap({ $0 }).first(where: { !$0.isEmpty }) else {
            throw URLError("the URL has no user: write postgres://user@host/database")
        }
        self.user = user
        let path = url.path.hasPrefix("/") ? String(url.path.dropFirst()) : url.path
        let databases = [path, try options.take("dbname"), variable("PGDATABASE")]
        database = databases.compactMap { $0 }.first { !$0.isEmpty } ?? user
        applicationName =
            try options.take("application_name") ?? variable("PGAPPNAME") ?? "broadcaster"
        serverOptions = try options.take("options") ?? variable("PGOPTIONS")
        let optionPassword = try options.take("password")
        let passwordFile = try options.take("passfile") ?? variable("PGPASSFILE")
        let known = [url.password, optionPassword, variable("PGPASSWORD")]
        password =
            known.compactMap { $0 }.first { !$0.isEmpty }
            ?? PasswordFile(environment, path: passwordFile)
            .password(for: endpoints, database: database, user: user)
        largePayloads =
            try PostgresURL.choice(
                &options, "large_payloads", ["split": .split, "refuse": .refuse]) ?? .split
        allowsCleartext =
            try PostgresURL.choice(
                &options, "allow_cleartext", ["true": true, "false": false]) ?? false
        try PostgresURL.checkSecurity(&options, environment)
        try options.finish(scheme: url.scheme)
        try check()
    }

    /// What libpq knows and we do not is refused where it would promise more than we keep.
    private static func checkSecurity(
        _ options: inout URLOptions, _ environment: ServerEnvironment
    ) throws(URLError) {
        let encryption =
            try options.take("sslmode") ?? environment.variable("PGSSLMODE") ?? "prefer"
        switch encryption {
        case "disable", "allow", "prefer": break
        case "require", "verify-ca", "verify-full":
            throw URLError(
                "sslmode=\(encryption) needs TLS, which is not there yet: use a network that you trust,"
                    + " or put stunnel between")
        default:
            throw URLError(
                "the option sslmode is disable, allow or prefer (require, verify-ca and verify-full need"
                    + " TLS), not \(options.show(encryption))")
        }
        let binding =
            try options.take("channel_binding") ?? environment.variable("PGCHANNELBINDING")
            ?? "prefer"
        guard ["disable", "prefer"].contains(binding) else {
            throw URLError(
                binding == "require"
                    ? "channel_binding=require needs TLS, which is not there yet"
                    : "the option channel_binding is disable or prefer, not \(options.show(binding))"
            )
        }
        let attributes =
            try options.take("target_session_attrs")
            ?? environment.variable("PGTARGETSESSIONATTRS") ?? "primary"
        guard ["any", "read-write", "primary"].contains(attributes) else {
            throw URLError(
                "the option target_session_attrs is any, read-write or primary, not"
                    + " \(options.show(attributes)): LISTEN and NOTIFY need a primary")
        }
    }

    private static func choice<Value>(
        _ options: inout URLOptions, _ name: String, _ values: [String: Value]
    ) throws(URLError) -> Value? {
        guard let text = try options.take(name) else { return nil }
        guard let value = values[text] else {
            let possible = values.keys.sorted().joined(separator: " or ")
            throw URLError("the option \(name) is \(possible), not \(options.show(text))")
        }
        return value
    }

    // MARK: Where the server is

    private static func endpoints(
        _ hosts: [ServerURL.Host], host: String?, port: String?, _ environment: ServerEnvironment
    ) throws(URLError) -> [Endpoint] {
        var names = hosts.map(\.name)
        var ports = hosts.map(\.port)
        if names.allSatisfy(\.isEmpty), let list = host ?? environment.variable("PGHOST") {
            names = list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            ports = Array(repeating: nil, count: names.count)
        }
        let common = try portList(port, count: max(names.count, 1))
        if names.isEmpty { (names, ports) = ([""], [nil]) }
        var endpoints: [Endpoint] = []
        for (index, name) in names.enumerated() {
            let number = ports[index] ?? common[index] ?? defaultPort
            endpoints.append(endpoint(name, number, environment))
        }
        return endpoints
    }

    private static func portList(_ text: String?, count: Int) throws(URLError) -> [UInt16?] {
        guard let text, !text.isEmpty else { return Array(repeating: nil, count: count) }
        var ports: [UInt16?] = []
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let number = UInt16(item), number > 0 else {
                throw URLError("the port is not a number from 1 to 65535")
            }
            ports.append(number)
        }
        if ports.count == 1 { return Array(repeating: ports[0], count: count) }
        guard ports.count == count else {
            throw URLError(
                "there are \(count) hosts and \(ports.count) ports: give one, or one for each")
        }
        return ports
    }

    /// A host that is a path is the folder of a Unix-domain socket; none at all is the usual folder, if a server
    /// is there, or else this machine.
    private static func endpoint(
        _ name: String, _ port: UInt16, _ environment: ServerEnvironment
    ) -> Endpoint {
        if name.hasPrefix("/") { return .unix(path: "\(name)/.s.PGSQL.\(port)") }
        if !name.isEmpty { return .tcp(host: name, port: port) }
        let path = "\(socketFolder)/.s.PGSQL.\(port)"
        return environment.file(path) == nil
            ? .tcp(host: "localhost", port: port) : .unix(path: path)
    }

    /// A NUL would begin a new parameter (pgx had that: `application_name` could become `user`).
    private func check() throws(URLError) {
        for (part, text) in [
            ("user name", user), ("password", password ?? ""), ("database", database),
            ("application_name", applicationName), ("option options", serverOptions ?? ""),
        ] {
            if text.utf8.contains(0) { throw URLError("the \(part) holds a NUL") }
            if text.utf8.count > 4096 { throw URLError("the \(part) is longer than 4,096 bytes") }
        }
    }
}

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

    func password(for endpoints: [Endpoint], database: String, user: String) -> String? {
        for endpoint in endpoints {
            let (host, port) = PasswordFile.hostAndPort(endpoint)
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
    private static func hostAndPort(_ endpoint: Endpoint) -> (String, String) {
        switch endpoint {
        case .tcp(let host, let port): (host, String(port))
        case .unix(let path):
            ("localhost", String(path.split(separator: ".").last ?? "5432"))
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
