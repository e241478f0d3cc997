/// What a certificate says of itself: the peer's words, which it may have chosen to deceive.
struct CertificateFacts: Hashable, Sendable {
    /// Such as `CN=localhost,O=Example`.
    let subject: String
    let issuer: String
    /// Such as `DNS:example.org, IP Address:10.0.0.1`; empty for none.
    let alternatives: String
    /// The days on which it begins and ends, in UTC: `2026-01-02`.
    let begin: String
    let end: String

    /// The names that it is for, as an error shows them.
    var names: String {
        let items = alternatives.split(separator: ",").map { item in
            let item = item.drop { $0 == " " }
            for prefix in ["DNS:", "IP Address:"] where item.hasPrefix(prefix) {
                return item.dropFirst(prefix.count)
            }
            return item
        }
        return items.joined(separator: ", ")
    }
}

/// The digest of a certificate that a login may be bound to.
enum CertificateDigest: Hashable, Sendable {
    case digest([UInt8])
    /// The certificate's signature, of this algorithm, names no hash function.
    case undefined(algorithm: String)
}

/// An entry of OpenSSL's queue of errors.
struct OpenSSLError: Hashable, Sendable {
    let code: UInt
    /// Such as `error:0A000086:SSL routines::certificate verify failed`.
    let text: String

    /// The reason without the library, the same in 1.1.1 and 3; of an alert, 1,000 and its number.
    var reason: Int { Int(code & 0xfff) }

    /// The last part of the text, in OpenSSL's words.
    var words: String {
        text.split(separator: ":", omittingEmptySubsequences: false).last.map(String.init) ?? text
    }
}
