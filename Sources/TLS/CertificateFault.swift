import BroadcasterWire

/// The fault of a certificate in words that somebody can act on.
struct CertificateFault: CustomStringConvertible {
    /// X509_V_ERR_…, the same in 1.1.1 and 3 (x509_vfy.h).
    let number: Int
    let certificate: CertificateFacts?
    /// 0 for the server's own certificate, more for an authority's.
    let depth: Int
    let name: String
    let options: TLSOptions

    var description: String {
        // 19 is about the end of the chain, wherever that is.
        let whose =
            depth == 0 || number == 19
            ? "certificate of \(name)" : "authority of the certificate of \(name)"
        return "\(whose)\(text)"
    }

    private var text: String {
        let issuer = Rejection.printable(certificate?.issuer ?? "unknown")
        switch number {
        case 9:
            return ": valid only from \(certificate?.begin ?? "later") on:"
                + " is this machine's clock right?"
        case 10: return ": expired on \(certificate?.end ?? "an earlier day")"
        case 2, 20, 21: return " is signed by an unknown authority (\(issuer))\(missing)"
        case 3: return ": there is no list of revoked certificates of \(issuer)"
        case 12: return ": the list of revoked certificates of \(issuer) has expired"
        case 18: return " is self-signed: give it as \(options.authorityOption) to trust it"
        case 19:
            return " is signed by an unknown authority (\(issuer)):"
                + " give that as \(options.authorityOption) to trust it"
        case 23: return " was revoked"
        case 26: return " is not meant for servers"
        case 62: return " is for \(names), not \(name)\(advice)"
        case 64: return " is for \(names), and names no such IP address\(advice)"
        case 66, 67: return " has a key too weak for this system's policy"
        case 68: return " has a signature too weak for this system's policy"
        default: return " cannot be verified (OpenSSL's verification error \(number))"
        }
    }

    private var names: String {
        guard let certificate else { return "another name" }
        if certificate.names.isEmpty { return "no host (its subject is \(certificate.subject))" }
        return Rejection.printable(certificate.names)
    }

    private var advice: String {
        options.nameOption.map { "; \($0) says another name to look for" } ?? ""
    }

    private var missing: String {
        let chain = depth == 0 ? ", or the server does not send its intermediate certificate" : ""
        return options.trustsSystem
            ? "\(chain); asked were the system's authorities (package ca-certificates),"
                + " and \(options.authorityOption) names others"
            : "\(chain); trusted are those of \(options.authorityOption)"
    }
}
