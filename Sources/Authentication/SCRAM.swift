/// The reason why a SCRAM exchange ended without a login: the server does not know the password, or breaks the
/// protocol.
package struct SCRAMError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// The client's side of SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677), and of SCRAM-SHA-256-PLUS. A value: the caller gives the
/// nonce, and does the costly part in slices.
///
/// Its life: `firstMessage` → `receiveFirst` → the work of `derivation` → `finalMessage` → `receiveFinal`. The
/// password never leaves it; the client sends a proof, made only for a nonce that begins with its own.
package struct SCRAM: Sendable {
    /// The most iterations that a server may ask for. Servers ask for 4,096 by default; more than this is an attack
    /// on the client (CVE-2026-42198 and its kin; the cap is theirs).
    package static let mostIterations = 100_000

    private let binding: ChannelBinding
    private let nonce: String
    private let password: [UInt8]
    private let hash: SCRAMHash
    /// Escaped, as it stands in the first message.
    private let user: String
    private var firstExchange = ""
    private var serverNonce = ""
    private var serverSignature: [UInt8] = []

    /// - Parameters:
    ///   - user: empty where the server knows the user from elsewhere, as Postgres does.
    ///   - nonce: printable ASCII without a comma, from a source that no one can guess.
    package init(
        user: String = "", password: String, nonce: String, hash: SCRAMHash = .sha256,
        binding: ChannelBinding = .none
    ) {
        self.binding = binding
        self.hash = hash
        self.user = SCRAM.escaped(SASLprep.prepare(user) ?? user)
        // A password that SASLprep refuses is used as it is, as Postgres does (scram-common.c).
        self.password = Array((SASLprep.prepare(password) ?? password).utf8)
        self.nonce = nonce
    }

    /// A comma and an equals sign have meanings of their own (RFC 5802 §5.1).
    private static func escaped(_ user: String) -> String {
        user.map { $0 == "," ? "=2C" : $0 == "=" ? "=3D" : String($0) }.joined()
    }

    /// The first message without its header. Postgres takes the user from the startup message and wants this name
    /// empty.
    private var bareFirstMessage: String { "n=\(user),r=\(nonce)" }

    package var firstMessage: String { binding.header + bareFirstMessage }

    /// Takes the server's first message: its nonce, the salt and the number of rounds.
    package mutating func receiveFirst(_ message: String) throws(SCRAMError) -> PBKDF2 {
        let parts = message.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count >= 3, let theirs = SCRAM.value("r", parts[0]),
            let salt = SCRAM.value("s", parts[1]), let count = SCRAM.value("i", parts[2])
        else {
            throw SCRAMError("SCRAM server-first-message: expected r=, s= and i= in this order")
        }
        guard theirs.hasPrefix(nonce), theirs.utf8.count > nonce.utf8.count else {
            throw SCRAMError("SCRAM server-first-message: the server's nonce does not extend ours")
        }
        guard theirs.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
            throw SCRAMError("SCRAM server-first-message: the nonce is not printable ASCII")
        }
        guard let salt = Base64.decode(salt), !salt.isEmpty else {
            throw SCRAMError("SCRAM server-first-message: the salt is not base64")
        }
        guard let iterations = SCRAM.count(count) else {
            throw SCRAMError(
                "SCRAM server-first-message: expected 1 to \(SCRAM.mostIterations) iterations")
        }
        serverNonce = String(theirs)
        firstExchange = "\(bareFirstMessage),\(message)"
        return PBKDF2(password: password, salt: salt, iterations: iterations, hash: hash)
    }

    /// Makes the client's proof that it knows the password.
    package mutating func finalMessage(saltedPassword: [UInt8]) -> String {
        let clientKey = hash.authenticate(Array("Client Key".utf8), key: saltedPassword)
        let serverKey = hash.authenticate(Array("Server Key".utf8), key: saltedPassword)
        let bound = Base64.encode(Array(binding.header.utf8) + binding.data)
        let bare = "c=\(bound),r=\(serverNonce)"
        let exchange = Array("\(firstExchange),\(bare)".utf8)
        let signature = hash.authenticate(exchange, key: hash.digest(clientKey))
        serverSignature = hash.authenticate(exchange, key: serverKey)
        let proof = zip(clientKey, signature).map { $0 ^ $1 }
        return "\(bare),p=\(Base64.encode(proof))"
    }

    /// Checks the server's proof that it knows the password that was set.
    package func receiveFinal(_ message: String) throws(SCRAMError) {
        let parts = message.split(separator: ",", omittingEmptySubsequences: false)
        guard let text = parts.first.flatMap({ SCRAM.value("v", $0) }),
            let signature = Base64.decode(text)
        else { throw SCRAMError("SCRAM server-final-message: expected v= and a signature") }
        guard !serverSignature.isEmpty, SCRAM.equal(signature, serverSignature) else {
            throw SCRAMError(
                "SCRAM server-final-message: wrong signature: this server does not know the password"
            )
        }
    }

    private static func value(_ name: Character, _ part: Substring) -> Substring? {
        part.hasPrefix("\(name)=") ? part.dropFirst(2) : nil
    }

    /// A decimal without a sign, a blank or a leading zero.
    private static func count(_ text: Substring) -> Int? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text.first != "0",
            text.utf8.count <= 6, let number = Int(text), (1...mostIterations).contains(number)
        else { return nil }
        return number
    }

    /// Compares in a time that does not reveal the place of a difference.
    private static func equal(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        guard one.count == other.count else { return false }
        return zip(one, other).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
