internal import BroadcasterWire
internal import Synchronization

/// What connections with the same options share: the trusted authorities, this client's certificate, and the sessions
/// that servers have offered to resume.
final class TLSContext: Sendable {
    let options: TLSOptions
    /// The times at which its files were last changed.
    let stamps: [Int?]
    let context: OpenSSLContext
    private let sessions = Mutex<[String: OpenSSLSession]>([:])

    /// Reads the files, which takes the time of 20 handshakes where it is the system's whole store of authorities.
    init(_ options: TLSOptions, stamps: [Int?]) throws(TLSError) {
        self.options = options
        self.stamps = stamps
        let library = try OpenSSL.library()
        guard
            let new = OpenSSLContext(
                library, lowest: options.minimumVersion.rawValue,
                highest: options.maximumVersion?.rawValue,
                verifies: options.verification != .none)
        else { throw TLSContext.failure("OpenSSL cannot begin", library.takeErrors()) }
        context = new
        if options.verification != .none { try trustAuthorities() }
        try loadCertificate()
    }

    private func trustAuthorities() throws(TLSError) {
        if let file = options.authorityFile {
            try check(context.trust(file: file, folder: nil), "the trusted authorities", file)
        }
        if let folder = options.authorityFolder {
            try check(context.trust(file: nil, folder: folder), "the trusted authorities", folder)
        }
        if let text = options.authorityText {
            try check(context.trust(pem: text) > 0, "the trusted authorities", "the URL")
        }
        if options.trustsSystem {
            try check(context.trustSystem(), "the authorities", "the system")
        }
        if let file = options.revocationFile {
            try check(context.trust(file: file, folder: nil), "the revoked certificates", file)
        }
        if let folder = options.revocationFolder {
            try check(context.trust(file: nil, folder: folder), "the revoked certificates", folder)
        }
    }

    /// A certificate without its key, or none where one is named, would leave the handshake without.
    private func loadCertificate() throws(TLSError) {
        guard let file = options.certificateFile else { return }
        try check(context.use(certificate: file), "the client's certificate", file)
        let key = options.keyFile ?? file
        try check(context.use(key: key, password: options.keyPassword), "its key", key)
        try check(context.keyFits, "a key that fits to the certificate \(file)", key)
    }

    private func check(_ isDone: Bool, _ what: String, _ place: String) throws(TLSError) {
        let errors = context.library.takeErrors()
        if isDone { return }
        // PEM_R_BAD_PASSWORD_READ.
        if errors.contains(where: { $0.reason == 104 }) {
            throw TLSError(.refused, "the key in \(place) is encrypted: give its password")
        }
        throw TLSContext.failure("cannot read \(what) from \(place)", errors)
    }

    private static func failure(_ text: String, _ errors: [OpenSSLError]) -> TLSError {
        TLSError(.refused, "\(text): \(errors.first?.words ?? "nothing of that kind is there")")
    }

    // MARK: Sessions

    /// Servers whose sessions are kept.
    private static let mostServers = 256

    /// The session to resume with a server, once: a ticket of TLS 1.3 that is used twice links the two connections
    /// (RFC 8446 §C.4).
    func takeSession(with server: String) -> OpenSSLSession? {
        sessions.withLock { $0.removeValue(forKey: server) }
    }

    func keep(_ session: OpenSSLSession, with server: String) {
        sessions.withLock { sessions in
            if sessions.count >= TLSContext.mostServers { sessions = [:] }
            sessions[server] = session
        }
    }
}

extension TLSOptions {
    /// No authority is named.
    var trustsSystem: Bool {
        authorityFile == nil && authorityFolder == nil && authorityText == nil
    }

    var checksRevocation: Bool { revocationFile != nil || revocationFolder != nil }

    /// The files that a context is made of.
    var files: [String] {
        [
            authorityFile, authorityFolder, revocationFile, revocationFolder, certificateFile,
            keyFile,
        ].compactMap { $0 }
    }
}
