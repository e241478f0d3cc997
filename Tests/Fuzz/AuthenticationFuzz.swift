import BroadcasterAuthentication

/// A server's messages in a SCRAM login, and the text tables behind it.
enum AuthenticationFuzz {
    private static let nonce = "rOprNGfwEbeRWgbNEkqO"

    /// The server's two messages, a line each.
    static func scram(_ bytes: [UInt8]) {
        let messages = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1)
            .map { String(decoding: $0, as: UTF8.self) }
        guard let first = messages.first else { return }
        var scram = SCRAM(password: "pencil", nonce: nonce)
        do throws(SCRAMError) {
            var derivation = try scram.receiveFirst(first)
            // Many rounds are no more interesting than few.
            guard let key = derivation.work(rounds: 64) else { return }
            _ = scram.finalMessage(saltedPassword: key)
            try scram.receiveFinal(messages.count == 2 ? messages[1] : "")
            require(messages[1].hasPrefix("v="), "accepted without a signature")
        } catch {
            require(!error.description.contains("pencil"), "an error that shows the password")
        }
    }

    static let scramSeeds = [
        "r=\(nonce)x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\n"
            + "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        "r=\(nonce)%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=AA==,i=1\nv=AA==", "e=other-error",
    ].map { Array($0.utf8) }

    static func text(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let prepared = SASLprep.prepare(text) {
            require(SASLprep.prepare(prepared) == prepared, "SASLprep of SASLprep is another")
        }
        if let decoded = Base64.decode(text) {
            require(Base64.decode(Base64.encode(decoded)) == decoded, "base64 does not come back")
        }
        require(Base64.decode(Base64.encode(bytes)) == bytes, "base64 does not come back")
    }
}
