internal import BroadcasterWire

/// The encryption of a connection, and the server's certificate.
public struct SecurityInfo: Hashable, Sendable {
    /// The version, such as `TLSv1.3`.
    public let version: String
    /// The cipher, such as `TLS_AES_256_GCM_SHA384`.
    public let cipher: String
    /// The subject of the server's certificate, such as `CN=db.example.org`.
    public let subject: String
    /// The day on which the certificate ends, in UTC: `2027-01-02`.
    public let expiry: String
    /// The certificate is signed by a trusted authority, and, unless the URL says otherwise, for the server's name. False:
    /// the URL asks for no verification.
    public let isVerified: Bool

    /// A connection of the caller's invention, for tests.
    public init(
        version: String, cipher: String, subject: String, expiry: String, isVerified: Bool
    ) {
        self.version = version
        self.cipher = cipher
        self.subject = subject
        self.expiry = expiry
        self.isVerified = isVerified
    }

    init(_ security: LaneSecurity) {
        version = security.version
        cipher = security.cipher
        subject = security.subject
        expiry = security.expiry
        isVerified = security.verification != .none
    }
}
