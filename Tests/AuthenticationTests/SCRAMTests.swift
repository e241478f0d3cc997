import BroadcasterAuthentication
import Testing

struct SCRAMTests {
    private let clientNonce = "rOprNGfwEbeRWgbNEkqO"
    private let serverFirst =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    private let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

    private func salted(_ scram: inout SCRAM, _ first: String) throws -> [UInt8] {
        var derivation = try scram.receiveFirst(first)
        while true {
            if let key = derivation.work(rounds: 1000) { return key }
        }
    }

    /// RFC 7677 §3 gives the user's name in the exchange; Postgres wants it empty, so the proof differs.
    @Test func theSaltedPasswordIsThatOfTheRFC() throws {
        var scram = SCRAM(password: "pencil", nonce: clientNonce)
        #expect(scram.firstMessage == "n,,n=,r=rOprNGfwEbeRWgbNEkqO")
        #expect(
            hex(try salted(&scram, serverFirst))
                == "c4a49510323ab4f952cac1fa99441939e78ea74d6be81ddf7096e87513dc615d")
    }

    /// Client and server as RFC 5802 describes them, with the verifier that Postgres stores.
    @Test func aServerThatKnowsThePasswordIsBelieved() throws {
        var scram = SCRAM(password: "pencil", nonce: clientNonce)
        let final = scram.finalMessage(saltedPassword: try salted(&scram, serverFirst))
        let bare = final.split(separator: ",p=")[0]
        #expect(bare == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
        let exchange = Array("n=,r=\(clientNonce),\(serverFirst),\(bare)".utf8)
        let storedKey = bytes("586e5df283e6dceb5c3e791d8b8528ec191e664045ce971792e2e6b5bb13e2a6")
        let serverKey = bytes("c1f3cbc1c13a9d35a14c0990eed97629ea225863e566a4314ab99f3f00e5d9d5")
        let proof = Base64.decode(final.split(separator: ",p=")[1]) ?? []
        let signature = HMAC(key: storedKey).authenticate(exchange)
        let clientKey = zip(proof, signature).map { $0 ^ $1 }
        #expect(SHA256.digest(clientKey) == storedKey, "the proof convinces a real verifier")
        let answer = Base64.encode(HMAC(key: serverKey).authenticate(exchange))
        try scram.receiveFinal("v=\(answer)")
        #expect(throws: SCRAMError.self) { try scram.receiveFinal(serverFinal) }
    }

    /// RFC 5802 §7: the header, and behind it the data of the binding.
    @Test(arguments: [
        (ChannelBinding.none, "n,,", "biws"), (.notOffered, "y,,", "eSws"),
        (
            .endPoint([0, 255, 16]), "p=tls-server-end-point,,",
            "cD10bHMtc2VydmVyLWVuZC1wb2ludCwsAP8Q"
        ),
    ])
    func theExchangeNamesItsBinding(binding: ChannelBinding, header: String, bound: String) throws {
        var scram = SCRAM(password: "pencil", nonce: clientNonce, binding: binding)
        #expect(scram.firstMessage == "\(header)n=,r=\(clientNonce)")
        let final = scram.finalMessage(saltedPassword: try salted(&scram, serverFirst))
        #expect(final.hasPrefix("c=\(bound),r="), "\(final)")
    }

    @Test(arguments: [
        "", "r=x", "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=other%hvYDpWUa2RaTCAfuxFIlj,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=XrOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "s=W22ZaJ0SNY7soEsUEjb6gQ==,r=rOprNGfwEbeRWgbNEkqOx,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,s=W22,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=0",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=-1",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=+1",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i= 1",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=01",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=100001",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=99999999999999999999",
        "r=rOprNGfwEbeRWgbNEkqOé,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", "e=other-error",
    ])
    func aBadBeginningIsRefused(message: String) {
        var scram = SCRAM(password: "pencil", nonce: clientNonce)
        #expect(throws: SCRAMError.self) { _ = try scram.receiveFirst(message) }
    }

    @Test(arguments: [
        "", "v=", "v=AAAA", "e=invalid-proof", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4",
    ])
    func aBadEndIsRefused(message: String) throws {
        var scram = SCRAM(password: "pencil", nonce: clientNonce)
        _ = scram.finalMessage(saltedPassword: try salted(&scram, serverFirst))
        #expect(throws: SCRAMError.self) { try scram.receiveFinal(message) }
    }

    @Test func anEndWithoutAProofOfOursIsRefused() {
        let scram = SCRAM(password: "pencil", nonce: clientNonce)
        #expect(throws: SCRAMError.self) { try scram.receiveFinal("v=") }
    }
}
