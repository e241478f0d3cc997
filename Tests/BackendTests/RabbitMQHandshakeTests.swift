import BroadcasterRabbitMQ
import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct RabbitMQHandshakeTests {
    private func start(
        mechanisms: String = "PLAIN AMQPLAIN", major: UInt8 = 0, minor: UInt8 = 9
    ) -> AMQPMethod {
        .connection(
            .start(
                major: major, minor: minor, AMQPTable(), mechanisms: mechanisms, locales: "en_US"))
    }

    @Test func theClientSpeaksFirstAndPromisesWhatItKeeps() throws {
        var conversation = try RabbitMQConversation("amqp://u:secret@h/v?connection_name=web")
        #expect(conversation.sentRaw() == AMQPFrame.protocolHeader)
        try conversation.answer(start(), 0)
        guard
            case .connection(.startOk(let table, let mechanism, let response, let locale))? =
                conversation.sent().first
        else {
            Issue.record("no start-ok")
            return
        }
        #expect(mechanism == "PLAIN" && locale == "en_US")
        #expect(response == Array("\0u\0secret".utf8))
        #expect(table["connection_name"]?.string == "web")
        guard case .table(let capabilities)? = table["capabilities"] else {
            Issue.record("no capabilities")
            return
        }
        for name in [
            "publisher_confirms", "basic.nack", "consumer_cancel_notify", "connection.blocked",
            "authentication_failure_close",
        ] {
            #expect(capabilities[name] == .boolean(true))
        }
        try conversation.answer(.connection(.tune(RabbitMQConversation.tuning)), 0)
        let agreed = AMQPTuning(channels: 2047, frame: 131_072, heartbeat: 10)
        #expect(
            conversation.sent() == [
                .connection(.tuneOk(agreed)), .connection(.open(virtualHost: "v")),
            ])
        try conversation.answer(.connection(.openOk), 0)
        #expect(conversation.sent() == [.channel(.open)])
        #expect(conversation.takeEvents().isEmpty)
        try conversation.answer(.channel(.openOk), 1)
        #expect(conversation.takeEvents() == ["! ready AMQP 0-9-1"])
    }

    @Test func amqplainIsATableWithoutItsLength() throws {
        var conversation = try RabbitMQConversation("amqp://u:pw@h?auth_mechanism=amqplain")
        _ = conversation.sent()
        try conversation.answer(start(), 0)
        guard
            case .connection(.startOk(_, "AMQPLAIN", let response, _))? = conversation.sent().first
        else {
            Issue.record("no start-ok")
            return
        }
        let expected =
            [5] + Array("LOGINS".utf8) + [0, 0, 0, 1] + Array("u".utf8)
            + [8] + Array("PASSWORDS".utf8) + [0, 0, 0, 2] + Array("pw".utf8)
        #expect(response == expected)
    }

    /// The server's offer, the URL's wish, and what is agreed on: 0 is no limit.
    @Test(
        arguments: [
            ((2047, 131_072, 60), "", (2047, 131_072, 10)),
            ((2047, 131_072, 5), "", (2047, 131_072, 5)),
            ((0, 0, 0), "", (0, 131_072, 10)), ((8, 4096, 60), "", (8, 4096, 10)),
            ((2047, 131_072, 60), "?heartbeat=0", (2047, 131_072, 0)),
            ((2047, 131_072, 60), "?heartbeat=30", (2047, 131_072, 30)),
            ((2047, 131_072, 60), "?heartbeat=600", (2047, 131_072, 60)),
            ((2047, 131_072, 0), "?heartbeat=600", (2047, 131_072, 600)),
            ((2047, 1 << 20, 60), "", (2047, 131_072, 10)),
            ((2047, 1 << 20, 60), "?frame_max=262144", (2047, 262_144, 10)),
        ] as [((UInt16, UInt32, UInt16), String, (UInt16, UInt32, UInt16))])
    func limitsAreAgreedOn(
        offer: (UInt16, UInt32, UInt16), query: String, agreed: (UInt16, UInt32, UInt16)
    ) throws {
        var conversation = try RabbitMQConversation("amqp://h\(query)")
        try conversation.answer(start(), 0)
        _ = conversation.sent()
        let tuning = AMQPTuning(channels: offer.0, frame: offer.1, heartbeat: offer.2)
        try conversation.answer(.connection(.tune(tuning)), 0)
        let expected = AMQPTuning(channels: agreed.0, frame: agreed.1, heartbeat: agreed.2)
        #expect(conversation.sent().first == .connection(.tuneOk(expected)))
    }

    @Test func aFrameLimitBelowTheLeastIsAViolation() throws {
        var conversation = try RabbitMQConversation()
        try conversation.answer(start(), 0)
        let tuning = AMQPTuning(channels: 0, frame: 100, heartbeat: 0)
        #expect(throws: ProtocolError.self) {
            try conversation.answer(.connection(.tune(tuning)), 0)
        }
    }

    @Test(arguments: [
        (403, "ACCESS_REFUSED - Login was refused", "authentication"),
        (530, "NOT_ALLOWED - vhost /nope not found", "permanent"),
        (530, "NOT_ALLOWED - access to vhost '/' refused for user 'app'", "permission"),
        (
            530, "NOT_ALLOWED - access refused for user 'app': connection limit (1) is reached",
            "temporary"
        ),
        (530, "NOT_ALLOWED - vhost '/' is down", "temporary"),
        (320, "CONNECTION_FORCED - broker forced connection closure", "temporary"),
        (402, "INVALID_PATH", "permanent"), (541, "INTERNAL_ERROR", "temporary"),
    ])
    func aLoginIsRefusedInWords(code: Int, text: String, kind: String) throws {
        var conversation = try RabbitMQConversation()
        try conversation.answer(start(), 0)
        _ = conversation.sent()
        try conversation.answer(
            .connection(.close(AMQPClose(code: UInt16(code), text: text))), 0)
        #expect(conversation.takeEvents() == ["! rejected \(kind) \(text)"])
        // The core closes the connection, which is an answer too.
        #expect(conversation.sent().isEmpty)
    }

    @Test func aLoginThatIsNotOfferedIsNotTried() throws {
        var conversation = try RabbitMQConversation()
        _ = conversation.sent()
        try conversation.answer(start(mechanisms: "EXTERNAL SCRAM-SHA-256"), 0)
        #expect(
            conversation.takeEvents() == [
                "! rejected authentication the server offers the logins EXTERNAL SCRAM-SHA-256, not PLAIN"
            ])
        #expect(conversation.sent().isEmpty)
    }

    @Test(arguments: Feed.allCases)
    func anotherVersionIsSaid(feed: Feed) throws {
        var conversation = try RabbitMQConversation()
        try conversation.receive(Array("AMQP".utf8) + [0, 1, 0, 0], feed: feed)
        #expect(
            conversation.takeEvents() == [
                "! rejected permanent the server speaks AMQP 1-0-0, not 0-9-1"
            ])
        conversation = try RabbitMQConversation()
        try conversation.answer(start(major: 8, minor: 0), 0)
        #expect(
            conversation.takeEvents() == [
                "! rejected permanent the server speaks AMQP 8-0, not 0-9-1"
            ])
    }

    @Test func aLoginThatTakesTooLongIsGivenUp() throws {
        var conversation = try RabbitMQConversation()
        try conversation.wait(.seconds(4))
        let error = #expect(throws: ProtocolError.self) { try conversation.wait(.seconds(2)) }
        #expect(error?.kind == .silence)
    }

    @Test func aPasswordThatWasLookedUpGoesFirst() throws {
        var session = try rabbitSession("amqp://u@h")
        var output = SessionOutput()
        let peer = PeerInfo(endpoint: .tcp(host: "h", port: 1), password: "found")
        session.opened(.main, to: peer, at: .now, into: &output)
        var bytes: [UInt8] = []
        start().append(on: 0, to: &bytes)
        var buffer = ReceiveBuffer(bytes)
        output[.main] = []
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        let sent = String(decoding: output[.main], as: UTF8.self)
        #expect(sent.contains("\0u\0found"))
    }
}
