package import BroadcasterWire

/// The encryption of connections, and the binding of logins to it: `sslmode` and its kin, as libpq 18 has them.
///
/// Four things are stricter, or need less, than there (`initialize_SSL` in fe-secure-openssl.c): a certificate that
/// cannot be trusted is an error in every mode, never the way to a connection without TLS; `prefer` goes on without TLS
/// where the server has none, and not where it refuses the login; `verify-full` without `sslrootcert` asks the system's
/// authorities; and what lies in `~/.postgresql` counts only where it is named.
///
/// An object, since it is read once and goes with every copy of a session's URL.
package final class PostgresSecurity: Sendable {
    package enum Mode: String, CaseIterable, Sendable {
        case disable
        /// TLS where the server refuses a login without.
        case allow
        /// TLS where the server has it.
        case prefer
        case require
        case verifyAuthority = "verify-ca"
        case verifyFull = "verify-full"

        /// False for those that take a connection without TLS.
        var isDemanding: Bool {
            switch self {
            case .disable, .allow, .prefer: false
            case .require, .verifyAuthority, .verifyFull: true
            }
        }
    }

    package enum Binding: String, CaseIterable, Sendable {
        case disable
        case prefer
        case require
    }

    package let mode: Mode
    /// TLS from the first byte, without the wish for it in Postgres's own words.
    package let isDirect: Bool
    package let binding: Binding
    /// Without the server's name.
    package let options: TLSOptions

    /// - Parameter isLocal: every server is reached by a Unix-domain socket, which libpq never encrypts.
    init(_ settings: inout PostgresSettings, isLocal: Bool) throws(ServerURLError) {
        let root = try settings.takeGiven("sslrootcert", variable: "PGSSLROOTCERT")
        let isSystem = root?.text == "system"
        let encryption = try settings.takeEncryption()
        let mode =
            try encryption.map { (setting) throws(ServerURLError) in
                try settings.word(setting, Mode.self)
            } ?? (isSystem ? .verifyFull : .prefer)
        self.mode = mode
        isDirect =
            try settings.take("sslnegotiation", variable: "PGSSLNEGOTIATION").map {
                (setting) throws(ServerURLError) in try settings.word(setting, Negotiation.self)
            } == .direct
        binding =
            try settings.take("channel_binding", variable: "PGCHANNELBINDING").map {
                (setting) throws(ServerURLError) in try settings.word(setting, Binding.self)
            } ?? .prefer
        var options = try PostgresSecurity.options(&settings)
        options.authorityFile = isSystem ? nil : root?.text
        options.isDemanded = mode.isDemanding
        options.applicationProtocol = isDirect ? "postgresql" : nil
        options.verification =
            switch mode {
            case .verifyFull: .full
            case .verifyAuthority: .authority
            case .disable, .allow, .prefer, .require: root == nil ? .none : .authority
            }
        self.options = options
        try check(isLocal: isLocal, hasRoot: root != nil, isSystem: isSystem)
    }

    private enum Negotiation: String, CaseIterable {
        case postgres
        case direct
    }

    private static func options(_ settings: inout PostgresSettings) throws(ServerURLError)
        -> TLSOptions
    {
        var options = TLSOptions()
        options.authorityOption = "sslrootcert"
        options.certificateOption = "sslcert"
        options.nameOption = nil
        options.acceptsCommonName = true
        let certificate = try settings.takeGiven("sslcert", variable: "PGSSLCERT")
        let key = try settings.takeGiven("sslkey", variable: "PGSSLKEY")
        let isSent = try settings.take("sslcertmode", variable: "PGSSLCERTMODE").map {
            (setting) throws(ServerURLError) -> Bool in
            try settings.check(setting, PostgresParameters.certificateMode)
            return setting.text != "disable"
        }
        if isSent ?? true {
            (options.certificateFile, options.keyFile) = (certificate?.text, key?.text)
        }
        options.keyPassword = try settings.takeGiven("sslpassword")?.text
        options.revocationFile = try settings.takeGiven("sslcrl", variable: "PGSSLCRL")?.text
        options.revocationFolder = try settings.takeGiven("sslcrldir", variable: "PGSSLCRLDIR")?
            .text
        if let setting = try settings.takeGiven("sslsni", variable: "PGSSLSNI") {
            options.sendsServerName = try settings.word(setting, Flag.self) == .on
        }
        try takeVersions(&settings, into: &options)
        return options
    }

    private enum Flag: String, CaseIterable {
        case off = "0"
        case on = "1"
    }

    /// Versions below 1.2 are not spoken here: as the lowest they change nothing.
    private static func takeVersions(
        _ settings: inout PostgresSettings, into options: inout TLSOptions
    ) throws(ServerURLError) {
        if let setting = try settings.takeGiven(
            "ssl_min_protocol_version", variable: "PGSSLMINPROTOCOLVERSION")
        {
            let version = try settings.word(setting, Version.self)
            options.minimumVersion = version == .tls13 ? .tls13 : .tls12
        }
        guard
            let setting = try settings.takeGiven(
                "ssl_max_protocol_version", variable: "PGSSLMAXPROTOCOLVERSION")
        else { return }
        switch try settings.word(setting, Version.self) {
        case .tls10, .tls11: throw ServerURLError("\(setting.name) asks for less than TLS 1.2")
        case .tls12: options.maximumVersion = .tls12
        case .tls13: options.maximumVersion = .tls13
        }
        if options.maximumVersion == .tls12, options.minimumVersion == .tls13 {
            throw ServerURLError("ssl_min_protocol_version is above ssl_max_protocol_version")
        }
    }

    private enum Version: String, CaseIterable {
        case tls10 = "TLSv1"
        case tls11 = "TLSv1.1"
        case tls12 = "TLSv1.2"
        case tls13 = "TLSv1.3"
    }

    private func check(isLocal: Bool, hasRoot: Bool, isSystem: Bool) throws(ServerURLError) {
        if binding == .require, isLocal || mode == .disable {
            throw ServerURLError("channel_binding=require needs TLS, which there will not be")
        }
        if isDirect, !mode.isDemanding {
            throw ServerURLError(
                "sslnegotiation=direct needs TLS, and sslmode=\(mode.rawValue) does not ask for it:"
                    + " write sslmode=require, verify-ca or verify-full")
        }
        if isSystem, mode != .verifyFull {
            throw ServerURLError(
                "sslrootcert=system needs sslmode=verify-full: anybody has a certificate of a public"
                    + " authority")
        }
        if mode == .verifyAuthority, !hasRoot, !isLocal {
            throw ServerURLError("sslmode=verify-ca needs sslrootcert, the authority to trust")
        }
    }

    /// The security of a connection to this server, under the name that it has in its certificate; nil for a Unix-domain
    /// socket.
    func options(for endpoint: Endpoint, named name: String?) -> TLSOptions? {
        guard case .tcp = endpoint, mode != .disable else { return nil }
        var options = options
        options.serverName = name
        return options
    }
}

extension PostgresSettings {
    /// A parameter that is not empty, which asks for the default.
    fileprivate mutating func takeGiven(
        _ name: String, variable: String? = nil
    ) throws(ServerURLError) -> Setting? {
        guard let setting = try take(name, variable: variable, isListed: false) else { return nil }
        if setting.text.utf8.contains(0) { throw ServerURLError("\(setting.name) holds a NUL") }
        return setting.text.isEmpty ? nil : setting
    }

    /// One of the words of a type.
    fileprivate func word<Word: RawRepresentable<String> & CaseIterable>(
        _ setting: Setting, _ type: Word.Type
    ) throws(ServerURLError) -> Word {
        guard let word = Word(rawValue: setting.text) else {
            let words = ForeignOption.list(Word.allCases.map(\.rawValue))
            throw ServerURLError(
                "\(setting.name) is \(words), not \(show(setting.text, of: setting))")
        }
        return word
    }
}
