/// The security that a lane has got: what a `ping` shows, and what a login may bind itself to.
public struct LaneSecurity: Hashable, Sendable {
    /// The certificate's digest for `tls-server-end-point` (RFC 5929 §4.1).
    public enum Binding: Hashable, Sendable {
        case endPoint([UInt8])
        /// The certificate's signature has no digest function, as those of Ed25519.
        case undefined(algorithm: String)
    }

    /// Such as `TLSv1.3`.
    public let version: String
    /// Such as `TLS_AES_256_GCM_SHA384`.
    public let cipher: String
    /// The server's certificate: its subject, and the day of its end.
    public let subject: String
    /// The day of the certificate's end, as OpenSSL writes it.
    public let expiry: String
    /// What a login may bind itself to.
    public let binding: Binding
    /// The session was resumed: there was no new exchange of keys.
    public let isResumed: Bool
    /// The verification that has been done.
    public let verification: TLSOptions.Verification
    /// What is to be said of it in a log, where something is.
    public let warning: String?

    package init(
        version: String, cipher: String, subject: String, expiry: String, binding: Binding,
        isResumed: Bool, verification: TLSOptions.Verification, warning: String? = nil
    ) {
        self.version = version
        self.cipher = cipher
        self.subject = subject
        self.expiry = expiry
        self.binding = binding
        self.isResumed = isResumed
        self.verification = verification
        self.warning = warning
    }
}
