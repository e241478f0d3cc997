package import BroadcasterWire

/// The contents of a `postgres://` URL, the `PG…` variables and the password file, read as libpq reads them
/// ("Connection URIs", "Environment Variables" and "The Password File" in the Postgres documentation): an option wins
/// over the URL's own part, and this over the variable.
package struct PostgresURL: Sendable {
    /// The treatment of a message that `pg_notify` would not take.
    package enum LargePayloads: Hashable, Sendable {
        case split
        case refuse
    }

    /// In the order to try.
    package let hosts: [PostgresHost]
    package let user: String
    /// The URL's, or the variable's. nil: the password file is asked.
    package let password: String?
    /// nil is the usual password file.
    let passwordFile: String?
    package let database: String
    package let applicationName: String
    /// Command-line options for the server, such as `-c search_path=x`.
    package let serverOptions: String?
    package let largePayloads: LargePayloads
    /// Sends the password in the clear where the server asks for that.
    package let allowsCleartext: Bool
    /// The logins that the server may ask for.
    package let logins: LoginPolicy
    package let security: PostgresSecurity
    /// The tables that keep the channels' messages; nil: plain NOTIFY.
    package let history: HistoryTable?

    package var endpoints: [Endpoint] { hosts.map(\.endpoint) }

    package static let schemes = ["postgres", "postgresql"]

    package init(_ url: ServerURL, environment: ServerEnvironment) throws(ServerURLError) {
        var settings = PostgresSettings(url.options, environment)
        let hosts = try PostgresHost.list(url.hosts, &settings, environment)
        let named = try settings.take("user", part: url.user, variable: "PGUSER")?.text
        guard let user = [named, environment.userName].compactMap(given).first else {
            throw ServerURLError("the URL has no user: write postgres://user@host/database")
        }
        self.user = user
        let path = url.path.hasPrefix("/") ? String(url.path.dropFirst()) : url.path
        database =
            given(try settings.take("dbname", part: path, variable: "PGDATABASE")?.text) ?? user
        let name = try settings.take("application_name", variable: "PGAPPNAME")?.text
        let fallback = try settings.take("fallback_application_name", isListed: false)?.text
        applicationName = name ?? fallback ?? "broadcaster"
        serverOptions = given(try settings.take("options", variable: "PGOPTIONS")?.text)
        let password = try settings.take(
            "password", part: url.password, variable: "PGPASSWORD")?.text
        self.password = given(password)
        passwordFile = given(try settings.take("passfile", variable: "PGPASSFILE")?.text)
        largePayloads =
            try settings.choice("large_payloads", ["split": .split, "refuse": .refuse]) ?? .split
        allowsCleartext =
            try settings.choice("allow_cleartext", ["true": true, "false": false]) ?? false
        logins = try PostgresURL.logins(&settings)
        history = try settings.takeHistory()
        let isLocal = hosts.allSatisfy(\.isLocal)
        security = try PostgresSecurity(&settings, isLocal: isLocal)
        self.hosts = try PostgresURL.order(hosts, &settings, environment)
        try PostgresURL.checkForeign(&settings, hosts)
        try settings.options.finish(scheme: url.scheme)
        try check()
    }

    /// The password for a server of the list, by the file as it is now where nothing else says one.
    package func password(
        for endpoint: Endpoint, in environment: ServerEnvironment
    ) -> String? {
        if let password { return password }
        guard let host = hosts.first(where: { $0.endpoint == endpoint }) else { return nil }
        return PasswordFile(environment, path: passwordFile)
            .password(for: host, database: database, user: user)
    }

    /// The security of a connection to a server of the list; nil where there is to be none.
    func tlsOptions(for endpoint: Endpoint) -> TLSOptions? {
        let host = hosts.first { $0.endpoint == endpoint }
        return security.options(for: endpoint, named: host?.name)
    }

    private static func logins(_ settings: inout PostgresSettings) throws(ServerURLError)
        -> LoginPolicy
    {
        let setting = try settings.take("require_auth", variable: "PGREQUIREAUTH")
        guard let setting, !setting.text.isEmpty else { return .any }
        let shown = settings
        return try LoginPolicy(setting.text, name: setting.name) { shown.show($0, of: setting) }
    }

    /// The hosts in the order given, or in a random one where `load_balance_hosts` asks for that.
    private static func order(
        _ hosts: [PostgresHost], _ settings: inout PostgresSettings,
        _ environment: ServerEnvironment
    ) throws(ServerURLError) -> [PostgresHost] {
        let option = PostgresParameters.balancing
        let setting = try settings.take(option.name, variable: option.variable, isListed: false)
        guard let setting else { return hosts }
        try settings.check(setting, option)
        return setting.text == "random" ? environment.order(hosts.count).map { hosts[$0] } : hosts
    }

    /// Refuses the parameters of libpq that would promise more than this client keeps.
    private static func checkForeign(
        _ settings: inout PostgresSettings, _ hosts: [PostgresHost]
    ) throws(ServerURLError) {
        try settings.check(PostgresParameters.peer(hasSocket: hosts.contains(where: \.isLocal)))
        if let target = try settings.take(
            PostgresParameters.target.name, variable: PostgresParameters.target.variable)
        {
            try settings.check(target, PostgresParameters.target)
        }
        for option in PostgresParameters.all { try settings.check(option) }
    }

    /// A NUL would begin a new parameter (pgx had that: `application_name` could become `user`).
    private func check() throws(ServerURLError) {
        for (part, text) in [
            ("user name", user), ("password", password ?? ""), ("database", database),
            ("application_name", applicationName), ("option options", serverOptions ?? ""),
        ] {
            if text.utf8.contains(0) { throw ServerURLError("the \(part) holds a NUL") }
            if text.utf8.count > 4096 {
                throw ServerURLError("the \(part) is longer than 4,096 bytes")
            }
        }
    }
}

/// The text, or nil if it is empty: libpq's way to ask for the default.
private func given(_ text: String?) -> String? {
    text?.isEmpty == true ? nil : text
}

extension PostgresSettings {
    /// The tables of a history, which these options are about.
    fileprivate mutating func takeHistory() throws(ServerURLError) -> HistoryTable? {
        let name = try options.take("history")
        // The words of Redis Streams; 0 is no limit.
        let length = try options.takeInteger("max_length", in: 0...Int(Int32.max))
        let age = try options.takeDuration("max_age")
        guard let name else {
            guard length == nil, age == nil else {
                throw ServerURLError(
                    "max_length and max_age bound a history: name its table by history=TABLE")
            }
            return nil
        }
        if let refusal = HistoryTable.refusal(of: name) { throw ServerURLError(refusal) }
        let kept = length ?? 10_000
        return HistoryTable(name, length: kept == 0 ? nil : kept, age: age)
    }

    /// One of a few words, which are ours alone: no variable.
    fileprivate mutating func choice<Value>(
        _ name: String, _ values: [String: Value]
    ) throws(ServerURLError) -> Value? {
        guard let setting = try take(name) else { return nil }
        guard let value = values[setting.text] else {
            let possible = values.keys.sorted().joined(separator: " or ")
            throw ServerURLError(
                "\(setting.name) is \(possible), not \(show(setting.text, of: setting))")
        }
        return value
    }
}
