/// The hash function of a SCRAM mechanism.
package enum SCRAMHash: Hashable, Sendable {
    case sha256
    case sha512

    func digest(_ message: [UInt8]) -> [UInt8] {
        switch self {
        case .sha256: SHA256.digest(message)
        case .sha512: SHA512.digest(message)
        }
    }

    func authenticate(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        switch self {
        case .sha256: HMAC(key: key).authenticate(message)
        case .sha512: HMAC512(key: key).authenticate(message)
        }
    }
}
