import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterKafka

/// Logins, and logins again before the time of the last one is over (KIP-368), with brokers as a script has them.
struct KafkaLoginTests {
    private typealias Answers = KafkaConversation

    @Test func plainIsOneMessage() throws {
        var scene = try KafkaConversation("kafka://alice:secret@b1?sasl_mechanism=PLAIN")
        try scene.answer(Answers.versions(), to: .apiVersions)
        try scene.answer(Answers.handshake(0, ["PLAIN"]), to: .saslHandshake)
        #expect(scene.requests.last?.body == bytes(hex: "0000000d00616c69636500736563726574"))
        try scene.answer(Answers.authenticated(0, "", ""), to: .saslAuthenticate)
        #expect(scene.apis == [.metadata])
    }

    @Test func aRefusedLoginIsToldInTheBrokersWords() throws {
        var scene = try KafkaConversation("kafka://alice:secret@b1?sasl_mechanism=PLAIN")
        try scene.answer(Answers.versions(), to: .apiVersions)
        try scene.answer(Answers.handshake(0, ["PLAIN"]), to: .saslHandshake)
        try scene.answer(Answers.authenticated(58, "bad credentials", ""), to: .saslAuthenticate)
        #expect(scene.rejections.map(\.kind) == [.authentication])
        #expect(scene.rejections.first?.message.contains("bad credentials") == true)
    }

    /// Without a mechanism in the URL, the best that the broker has; the password never in the clear unasked.
    @Test func theMechanismIsChosenFromTheBrokersList() throws {
        var scene = try KafkaConversation("kafka://alice:secret@b1")
        try scene.answer(Answers.versions(), to: .apiVersions)
        try scene.answer(Answers.handshake(33, ["PLAIN", "SCRAM-SHA-256"]), to: .saslHandshake)
        scene.openWishes()
        try scene.answer(Answers.versions(), to: .apiVersions)
        #expect(scene.requests.last?.api == .saslHandshake)
        #expect(scene.requests.last?.body == [0, 13] + Array("SCRAM-SHA-256".utf8))
        var other = try KafkaConversation("kafka://alice:secret@b1")
        try other.answer(Answers.versions(), to: .apiVersions)
        try other.answer(Answers.handshake(33, ["PLAIN"]), to: .saslHandshake)
        #expect(other.rejections.first?.message.contains("sasl_mechanism=PLAIN") == true)
    }

    /// Tansu 0.6.0, recorded: an unknown user is answered with error code 0.
    @Test func onlyTheSignatureProvesTheBroker() throws {
        var scene = try KafkaConversation("kafka://alice:secret@b1?sasl_mechanism=SCRAM-SHA-256")
        try scene.answer(Answers.versions(), to: .apiVersions)
        try scene.answer(Answers.handshake(0, ["SCRAM-SHA-256"]), to: .saslHandshake)
        let first = String(decoding: scene.requests.last?.body.dropFirst(4) ?? [], as: UTF8.self)
        #expect(first.hasPrefix("n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL"))
        let nonce = String(first.dropFirst("n,,n=alice,r=".utf8.count))
        try scene.answer(
            Answers.authenticated(0, "", "r=\(nonce)KLnqT,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=16"),
            to: .saslAuthenticate)
        for _ in 0..<3 { try scene.pass(.zero) }
        #expect(scene.apis == [.saslAuthenticate])
        try scene.answer(Answers.authenticated(0, "", "e=unknown-user"), to: .saslAuthenticate)
        #expect(scene.rejections.map(\.kind) == [.authentication])
    }

    /// What a broker says against a login stands in the error, with the name of its code.
    @Test(arguments: [
        (KafkaAPI.saslHandshake, 34 as Int16, "ILLEGAL_SASL_STATE"),
        (.saslHandshake, 33, "has SCRAM-SHA-512 and not PLAIN"),
        (.saslAuthenticate, 58, "SASL_AUTHENTICATION_FAILED"),
        (.saslAuthenticate, 35, "UNSUPPORTED_VERSION"), (.saslAuthenticate, -1, "UNKNOWN"),
    ])
    func refusalsAreToldInWords(api: KafkaAPI, code: Int16, words: String) throws {
        var scene = try KafkaConversation("kafka://alice:secret@b1?sasl_mechanism=PLAIN")
        try scene.answer(Answers.versions(), to: .apiVersions)
        if api == .saslHandshake {
            try scene.answer(Answers.handshake(code, ["SCRAM-SHA-512"]), to: api)
        } else {
            try scene.answer(Answers.handshake(0, ["PLAIN"]), to: .saslHandshake)
            try scene.answer(Answers.authenticated(code, "go away", ""), to: api)
            #expect(scene.rejections.first?.message.contains("go away") == true)
        }
        #expect(scene.rejections.map(\.kind) == [.authentication])
        #expect(scene.rejections.first?.message.contains(words) == true, "\(scene.rejections)")
        #expect(scene.rejections.first?.message.contains("secret") == false)
    }

    // MARK: Again

    /// At 85 % of the time, between other requests, with the same mechanism; what is wanted meanwhile waits for it.
    @Test func aLoginIsRenewedBeforeItsTimeIsOver() throws {
        var scene = try renewing()
        try scene.pass(.seconds(8))
        scene.publish("x")
        try scene.answer(Answers.metadata(topic: "t"), to: .metadata)
        try scene.pass(.milliseconds(600))
        // The request for an identity is still to be answered: the login waits for it, and all else for the login.
        #expect(scene.apis == [.initProducerId])
        try scene.answer(Answers.producerId(), to: .initProducerId)
        #expect(scene.apis == [.saslHandshake])
        #expect(scene.requests[0].body == [0, 5] + Array("PLAIN".utf8))
        try scene.answer(Answers.handshake(0, ["PLAIN"]), to: .saslHandshake)
        #expect(scene.apis == [.saslAuthenticate])
        try scene.answer(Answers.authenticated(0, "", "", lifetime: 10_000), to: .saslAuthenticate)
        #expect(scene.apis == [.produce])
        try scene.answer(Answers.produced(0), to: .produce)
        #expect(scene.events.last?.hasPrefix("! published 0") == true)
        try scene.pass(.milliseconds(8600))
        #expect(scene.apis == [.saslHandshake])
    }

    /// Refused the second time: the connection is given up and said, and another one is tried, for rights come back.
    @Test(arguments: [KafkaAPI.saslHandshake, .saslAuthenticate], [33, 58] as [Int16])
    func aRefusedRenewalIsALostConnection(api: KafkaAPI, code: Int16) throws {
        var scene = try renewing(brokers: [1, 2])
        try scene.pass(.milliseconds(8600))
        if api == .saslHandshake {
            try scene.answer(Answers.handshake(code, ["GSSAPI"]), to: .saslHandshake)
        } else {
            try scene.answer(Answers.handshake(0, ["PLAIN"]), to: .saslHandshake)
            try scene.answer(Answers.authenticated(code, "expired", ""), to: .saslAuthenticate)
        }
        #expect(scene.events.contains { $0.contains("broker 1 at b1:9092") }, "\(scene.events)")
        #expect(scene.rejections.isEmpty)
        #expect(scene.output.takeConnections().map(\.endpoint) == [.tcp(host: "b2", port: 9092)])
    }

    /// The first connection's login stands in a trace with the password masked; the next one has a lane of its own.
    @Test func theFirstConnectionIsReplacedWhenItsLoginRunsOut() throws {
        var scene = try KafkaConversation("kafka://alice:secret@b1?sasl_mechanism=PLAIN")
        try logIn(&scene)
        try scene.answer(Answers.metadata(), to: .metadata)
        try scene.pass(.milliseconds(8400))
        #expect(scene.output.takeConnections().isEmpty)
        try scene.pass(.milliseconds(100))
        #expect(scene.output.takeFinished() == [.main])
        #expect(scene.output.takeConnections().map(\.endpoint) == [KafkaConversation.endpoint])
    }

    /// Each login has a nonce of its own, also on one connection (RFC 5802, 5.1).
    @Test func noNonceIsUsedTwice() throws {
        let mechanism = "SCRAM-SHA-256"
        var handshake = KafkaHandshake(
            KafkaLogin(user: "u", password: "p", mechanism: .scramSHA256), nonce: "abc")
        var firsts: [String] = []
        for _ in 0..<3 {
            _ = handshake.begin()
            var reader = FrameReader(
                Answers.handshake(0, [mechanism])[...], reading: "SaslHandshake")
            let outcome = handshake.received(try SASLHandshakeMessage(&reader))
            if case .send(.saslAuthenticate(let data)) = outcome {
                firsts.append(String(decoding: data, as: UTF8.self))
            }
        }
        #expect(Set(firsts).count == 3, "\(firsts)")
    }

    private func logIn(_ scene: inout KafkaConversation) throws {
        try scene.answer(Answers.versions(), to: .apiVersions)
        try scene.answer(Answers.handshake(0, ["PLAIN"]), to: .saslHandshake)
        try scene.answer(Answers.authenticated(0, "", "", lifetime: 10_000), to: .saslAuthenticate)
    }

    /// A session whose only connection is no longer the first one.
    private func renewing(brokers: [Int32] = [1]) throws -> KafkaConversation {
        var scene = try KafkaConversation(
            "kafka://alice:secret@b1?sasl_mechanism=PLAIN", ping: .seconds(1000))
        try logIn(&scene)
        try scene.answer(Answers.metadata(brokers: brokers), to: .metadata)
        try scene.pass(.milliseconds(8500))
        scene.openWishes()
        try logIn(&scene)
        _ = scene.takeEvents()
        return scene
    }
}
