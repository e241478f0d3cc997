/// The security that a lane is to have: a description, which the core carries out.
///
/// A backend whose lanes are secured from the first byte gives it by `Backend.security(to:)`; a session that secures a
/// lane in mid conversation, by `SessionOutput.secure`. A URL's options become one by `init(from:)`, in every backend
/// by the same names.
public struct TLSOptions: Hashable, Sendable {
    /// What is looked at in the server's certificate.
    public enum Verification: Hashable, Sendable {
        /// The certificate is not looked at: whoever sits on the way can read and change everything.
        case none
        /// The certificate is signed by a trusted authority, for whatever name.
        case authority
        /// And it is for the server's name.
        case full
    }

    /// The versions by their numbers on the wire (RFC 8446 §4.1.2).
    public enum Version: Int, Sendable {
        case tls12 = 0x0303
        case tls13 = 0x0304

        /// The version that has this name in redis-py or OpenSSL; nil where none has.
        public init?(name: String) {
            switch name.lowercased() {
            case "771", "1.2", "tlsv1.2", "tlsv1_2": self = .tls12
            case "772", "1.3", "tlsv1.3", "tlsv1_3": self = .tls13
            default: return nil
            }
        }
    }

    /// What is looked at in the server's certificate. Default: everything.
    public var verification = Verification.full
    /// False where a connection without TLS would do as well.
    public var isDemanded = true
    /// The trusted authorities: a file of certificates, a folder of such by their hashes, and certificates themselves,
    /// all PEM. Where there is none of the three, the system's.
    public var authorityFile: String?
    /// The path of a folder, as `openssl rehash` makes it.
    public var authorityFolder: String?
    /// Certificates in PEM.
    public var authorityText: String?
    /// Lists of revoked certificates. With one of these, every certificate is looked up there.
    public var revocationFile: String?
    /// The path of a folder, as `openssl rehash` makes it.
    public var revocationFolder: String?
    /// This client's certificate, with those of its intermediate authorities, and its key.
    public var certificateFile: String?
    /// nil: the key stands in the certificate's file.
    public var keyFile: String?
    /// The password of an encrypted key.
    public var keyPassword: String?
    /// The name in the server's certificate; nil is the host's.
    public var serverName: String?
    /// Tells the server, in clear text, the name that it is asked for (SNI, RFC 6066 §3).
    public var sendsServerName = true
    /// The oldest version that will do. Default TLS 1.2.
    public var minimumVersion = Version.tls12
    /// The newest version that will do; nil: the newest that the system knows.
    public var maximumVersion: Version?
    /// The protocol that the server must choose (ALPN, RFC 7301).
    public var applicationProtocol: String?
    /// Takes the subject's common name for the server's name, where the certificate names no other.
    public var acceptsCommonName = false
    /// The options for a trusted authority, for this client's certificate and for the server's name, as advice calls
    /// them.
    package var authorityOption = "ssl_ca_certs"
    package var certificateOption = "ssl_certfile"
    package var nameOption: String? = "ssl_server_name"

    /// Verifies everything, by the system's authorities.
    public init() {}
}

// MARK: Options of a URL

extension TLSOptions {
    /// The names of redis-py 8.1 (`SSLConnection`), and their meaning; `ssl_server_name` is ours. A given authority
    /// replaces the system's: a pin should be one.
    public init(from options: inout URLOptions) throws(ServerURLError) {
        verification = try TLSOptions.verification(from: &options)
        authorityFile = try options.takeFile("ssl_ca_certs")
        authorityFolder = try options.takeFile("ssl_ca_path")
        authorityText = try options.takeFile("ssl_ca_data")
        certificateFile = try options.takeFile("ssl_certfile")
        keyFile = try options.takeFile("ssl_keyfile")
        keyPassword = try options.take("ssl_password")
        serverName = try options.takeFile("ssl_server_name")
        let shown = options
        let minimum = try options.take("ssl_min_version") {
            (name, text) throws(ServerURLError) -> Version in
            guard let version = Version(name: text) else {
                throw ServerURLError(
                    "\(name) is 771 (TLS 1.2) or 772 (TLS 1.3), not \(shown.show(text))")
            }
            return version
        }
        minimumVersion = minimum ?? .tls12
        if keyFile != nil, certificateFile == nil {
            throw ServerURLError(
                "ssl_keyfile needs ssl_certfile, the certificate that it belongs to")
        }
        try TLSOptions.refuse(TLSOptions.impossible, in: &options)
    }

    private static func verification(
        from options: inout URLOptions
    ) throws(ServerURLError) -> Verification {
        let shown = options
        let isRequired = try options.take("ssl_cert_reqs") { (name, text) throws(ServerURLError) in
            switch text.lowercased() {
            case "required", "optional", "cert_required", "cert_optional": return true
            case "none", "cert_none": return false
            default:
                throw ServerURLError(
                    "\(name) is required, optional or none, not \(shown.show(text))")
            }
        }
        let checksName = try options.take("ssl_check_hostname") {
            (name, text) throws(ServerURLError) in
            guard let isTrue = ForeignOption.truth(text) else {
                throw ServerURLError("\(name) is true or false, not \(shown.show(text))")
            }
            return isTrue
        }
        return isRequired == false ? .none : checksName == false ? .authority : .full
    }

    /// Refuses all options of TLS, in a URL that asks for a connection without.
    ///
    /// - Parameter scheme: the one that asks for TLS.
    public static func refuse(in options: inout URLOptions, scheme: String) throws(ServerURLError) {
        let reason = "needs TLS, which a \(scheme):// URL asks for"
        try refuse(all.map { ForeignOption($0, nil, .none(reason)) }, in: &options)
        try refuse(impossible, in: &options)
    }

    private static func refuse(
        _ refused: [ForeignOption], in options: inout URLOptions
    ) throws(ServerURLError) {
        let shown = options
        for option in refused {
            guard let text = try options.take(option.name, isListed: false) else { continue }
            try option.check(text, as: "the option \(option.name)", show: shown.show)
        }
    }

    private static let all = [
        "ssl_cert_reqs", "ssl_check_hostname", "ssl_ca_certs", "ssl_ca_path", "ssl_ca_data",
        "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_server_name", "ssl_min_version",
    ]

    /// What redis-py has beside, and is not there.
    private static let impossible: [ForeignOption] = [
        ForeignOption("ssl_ciphers", nil, .none("is not there: the system's policy decides")),
        ForeignOption("ssl_validate_ocsp", nil, noOCSP),
        ForeignOption("ssl_validate_ocsp_stapled", nil, noOCSP),
        ForeignOption("ssl_ocsp_context", nil, .none("is not there")),
        ForeignOption("ssl_ocsp_expected_cert", nil, .none("is not there")),
        ForeignOption("ssl_include_verify_flags", nil, .none("is not there")),
        ForeignOption("ssl_exclude_verify_flags", nil, .none("is not there")),
    ]

    private static let noOCSP = ForeignOption.Values.matching(
        expected: "false (OCSP is not there)"
    ) { ForeignOption.truth($0) == false }
}

extension URLOptions {
    /// A path, or another text that is of no use if it is empty.
    fileprivate mutating func takeFile(_ name: String) throws(ServerURLError) -> String? {
        try take(name) { (name, text) throws(ServerURLError) in
            guard !text.isEmpty, !text.utf8.contains(0) else {
                throw ServerURLError("the option \(name) is empty, or holds a NUL")
            }
            return text
        }
    }
}
