/// The security that a lane has got: what a `ping` shows, and what a login may bind itself to.
package struct LaneSecurity: Hashable, Sendable {
    /// The certificate's digest for `tls-server-end-point` (RFC 5929 §4.1).
    package enum Binding: Hashable, Sendable {
        case endPoint([UInt8])
        /// The certificate's signature has no digest function, as those of Ed25519.
        case undefined(algorithm: String)
    }

    /// Such as `TLSv1.3`.
    package let version: String
    /// Such as `TLS_AES_256_GCM_SHA384`.
    package let cipher: String
    /// The server's certificate: its subject, and the day of its end.
    package let subject: String
    package let expiry: String
    package let binding: Binding
    /// The session was resumed: there was no new exchange of keys.
    package let isResumed: Bool
    /// The verification that has been done.
    package let verification: TLSOptions.Verification
    /// What is to be said of it in a log, where something is.
    package let warning: String?

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
