import BroadcasterWire

/// The failure of a handshake or of a connection, by OpenSSL's numbers: its words differ from version to version.
struct TLSFault {
    let errors: [OpenSSLError]
    /// The number of the certificate's fault (x509_vfy.h), and the certificate.
    let verifyResult: Int
    let failed: CertificateFacts?
    let depth: Int
    /// The handshake was done before.
    let isSecure: Bool
    let name: String
    let options: TLSOptions

    /// SSL_R_CERTIFICATE_VERIFY_FAILED.
    private static let badCertificate = 0x086

    var error: TLSError {
        let reasons = errors.map(\.reason)
        if reasons.contains(TLSFault.badCertificate) {
            let fault = CertificateFault(
                number: verifyResult, certificate: failed, depth: depth, name: name,
                options: options)
            return TLSError(.refused, fault.description)
        }
        for reason in reasons {
            if let text = refusal(reason) { return TLSError(.refused, text) }
        }
        return lossOrOther
    }

    /// The faults that stay: alerts are 1,000 and their number (RFC 8446 §6.2), the others stand in sslerr.h.
    private func refusal(_ reason: Int) -> String? {
        let certificate = "a client certificate (\(options.certificateOption))"
        switch reason {
        case 1116: return "the server wants \(certificate)"
        case 1040 where !isSecure:
            return
                "the server refused the TLS handshake: no common cipher, or it wants \(certificate)"
        case 1042, 1043, 1046, 1048: return "the server does not trust our certificate"
        case 1044: return "the server says that our certificate was revoked"
        case 1045: return "the server says that our certificate has expired"
        case 1070, 258, 1086:
            let lowest = options.minimumVersion == .tls13 ? "1.3" : "1.2"
            return "the server speaks no TLS version ≥ \(lowest)"
        case 1112: return "the server has no certificate for \(name)"
        case 1120: return TLSFault.notOffered(options.applicationProtocol ?? "it").description
        // Wrong version number, packet length too long, unexpected message, bad record type.
        case 267, 198, 244, 443: return isSecure ? nil : "the server does not speak TLS"
        default: return nil
        }
    }

    static func notOffered(_ name: String) -> TLSError {
        TLSError(.refused, "the server does not offer \(name) over TLS (ALPN)")
    }

    private var lossOrOther: TLSError {
        // Unexpected EOF; 1.1.1 has nothing in the queue then. Bad MAC.
        guard let first = errors.first(where: { $0.reason != 294 }) else {
            return TLSError(
                .lost,
                isSecure
                    ? "the server closed the connection, without closing TLS"
                    : "the server closed the connection during the TLS handshake:"
                        + " perhaps it does not speak TLS there")
        }
        if first.reason == 281 { return TLSError(.lost, "a damaged TLS record came") }
        return TLSError(isSecure ? .lost : .refused, "TLS: \(first.words)")
    }
}
