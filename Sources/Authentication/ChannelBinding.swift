/// The binding of a SCRAM exchange to the TLS connection that it runs on (RFC 5802 §6).
package enum ChannelBinding: Hashable, Sendable {
    /// There is nothing to bind to, or no wish to.
    case none
    /// This side could, and the server has offered no way: one that has will see that somebody took its offer away.
    case notOffered
    /// `tls-server-end-point`: the digest of the server's certificate (RFC 5929 §4.1).
    case endPoint([UInt8])

    /// The header of the client's messages (gs2-header in RFC 5802 §7), without a name.
    var header: String {
        switch self {
        case .none: "n,,"
        case .notOffered: "y,,"
        case .endPoint: "p=tls-server-end-point,,"
        }
    }

    var data: [UInt8] {
        if case .endPoint(let digest) = self { digest } else { [] }
    }
}
