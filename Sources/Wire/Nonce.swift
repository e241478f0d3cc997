/// A text that no one can guess: for logins, and for names that only one session uses.
package enum Nonce {
    /// 24 letters and digits: 142 bits, where libpq has 144 (SCRAM_RAW_NONCE_LEN).
    package static func random() -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
        var random = SystemRandomNumberGenerator()
        return String((0..<24).map { _ in letters[Int.random(in: 0..<62, using: &random)] })
    }
}
