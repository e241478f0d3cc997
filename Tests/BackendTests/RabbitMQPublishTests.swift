import BroadcasterRabbitMQ
import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct RabbitMQPublishTests {
    private func published(_ texts: Int) throws -> RabbitMQConversation {
        var conversation = try RabbitMQConversation.ready()
        for number in 0..<texts { conversation.publish("\(number)") }
        for method: AMQPMethod in [
            .exchange(.declareOk), .exchange(.declareOk), .exchange(.bindOk), .confirm(.selectOk),
        ] {
            try conversation.answer(method, 1)
        }
        return conversation
    }

    private func returned(_ id: String) -> [UInt8] {
        var bytes: [UInt8] = []
        AMQPMethod.basic(
            .returned(code: 312, text: "NO_ROUTE", exchange: "broadcaster", key: [99])
        ).append(on: 1, to: &bytes)
        return bytes
            + RabbitMQConversation.content("x", [0, 0x80, UInt8(id.utf8.count)] + id.utf8, on: 1)
    }

    @Test func theExchangesAreDeclaredWithTheFirstMessage() throws {
        var conversation = try RabbitMQConversation.ready("amqp://h?exchange=news")
        conversation.publish("x")
        #expect(
            conversation.sent() == [
                .exchange(.declare("news", type: "topic", .durable)),
                .exchange(.declare("news.exact", type: "direct", .durable)),
                .exchange(.bind(destination: "news.exact", source: "news", key: "#")),
                .confirm(.select), .basic(.publish(exchange: "news", key: [99], .mandatory)),
            ])
        conversation.publish("y")
        #expect(conversation.sent().count == 1)
    }

    @Test func theServersOwnExchangeIsNotDeclared() throws {
        var conversation = try RabbitMQConversation.ready("amqp://h?exchange=amq.topic")
        conversation.publish("x")
        #expect(
            conversation.sent() == [
                .confirm(.select), .basic(.publish(exchange: "amq.topic", key: [99], .mandatory)),
            ])
    }

    /// A message is one piece: the method, the header with its stamp, the body in frames of the agreed size.
    @Test(arguments: [0, 1, 131_064, 131_065, 300_000])
    func aMessageIsFrames(size: Int) throws {
        var conversation = try RabbitMQConversation.ready()
        conversation.publish("first")
        _ = conversation.sentRaw()
        let body = String(repeating: "x", count: size)
        conversation.publish(body)
        let bytes = conversation.sentRaw()
        var start = 0
        var kinds: [AMQPFrame.Kind] = []
        var payload: [UInt8] = []
        while let frame = try AMQPFrame.next(in: bytes.span, at: start, limit: 131_072) {
            kinds.append(frame.kind)
            if frame.kind == .body { payload += bytes[frame.payload] }
            if frame.kind == .header {
                let header = try ContentHeader(bytes[frame.payload])
                #expect(header.bodySize == size)
                #expect(header.messageID == Array("2".utf8))
                let stamp = MessageStamp(publisher: Array("abcdefghijkl".utf8), number: 2)
                #expect(MessageStamp(header.headers) == stamp)
            }
            start = frame.end
        }
        #expect(start == bytes.count)
        let bodies = (size + 131_063) / 131_064
        #expect(kinds == [.method, .header] + Array(repeating: .body, count: bodies))
        #expect(payload == Array(body.utf8))
    }

    @Test func eachChannelHasNumbersOfItsOwn() throws {
        var conversation = try RabbitMQConversation.ready()
        var numbers: [Int64] = []
        for channel in ["a", "b", "a", "a", "b"] {
            _ = conversation.sentRaw()
            conversation.publish("x", to: channel)
            let bytes = conversation.sentRaw()
            var start = 0
            while let frame = try AMQPFrame.next(in: bytes.span, at: start, limit: 131_072) {
                if frame.kind == .header,
                    let stamp = MessageStamp(try ContentHeader(bytes[frame.payload]).headers)
                {
                    numbers.append(stamp.number)
                }
                start = frame.end
            }
        }
        #expect(numbers == [1, 1, 2, 3, 2])
    }

    // MARK: Confirms

    @Test func confirmsComeInAnyOrderAndMayStandForMany() throws {
        var conversation = try published(6)
        try conversation.answer(.basic(.ack(2, multiple: false)), 1)
        try conversation.answer(.basic(.ack(4, multiple: true)), 1)
        try conversation.answer(.basic(.nack(6, multiple: false)), 1)
        try conversation.answer(.basic(.ack(0, multiple: true)), 1)
        #expect(
            conversation.takeEvents() == [
                "! published 1 ?", "! published 0 ?", "! published 2 ?", "! published 3 ?",
                "! publish lost 5 the server could not keep it (basic.nack)", "! published 4 ?",
            ])
    }

    @Test func whatComesBackHasNoReceiver() throws {
        var conversation = try published(3)
        // Another's confirm may stand between a message that comes back and its own.
        try conversation.receive(returned("2"))
        try conversation.answer(.basic(.ack(1, multiple: false)), 1)
        try conversation.answer(.basic(.ack(3, multiple: true)), 1)
        #expect(
            conversation.takeEvents() == ["! published 0 ?", "! published 1 0", "! published 2 ?"])
    }

    @Test(arguments: [
        AMQPMethod.basic(.ack(4, multiple: false)), .basic(.ack(0, multiple: false)),
        .basic(.ack(9, multiple: true)), .basic(.nack(1 << 63, multiple: false)),
        .basic(.qosOk), .queue(.bindOk), .channel(.openOk), .confirm(.selectOk),
    ])
    func whatNobodyAskedForIsAViolation(method: AMQPMethod) throws {
        var conversation = try published(3)
        #expect(throws: ProtocolError.self) { try conversation.answer(method, 1) }
    }

    @Test func aMessageThatWeNeverSentDoesNotComeBack() throws {
        for id in ["7", "x", "", "-1", "99999999999999999999"] {
            var conversation = try published(3)
            #expect(throws: ProtocolError.self) { try conversation.receive(returned(id)) }
        }
    }

    // MARK: The channel is closed

    @Test func aRightThatIsMissingRefusesAllThatWasSent() throws {
        var conversation = try published(2)
        let text = "ACCESS_REFUSED - access to exchange 'broadcaster' refused"
        let close = AMQPClose(code: 403, text: text, cause: AMQPMethod.ID(60, 40))
        _ = conversation.sent()
        try conversation.answer(.channel(.close(close)), 1)
        #expect(
            conversation.takeEvents() == [
                "! publish refused 0 \(text)", "! publish refused 1 \(text)",
            ])
        #expect(conversation.sent() == [.channel(.closeOk), .channel(.open)])
        #expect(conversation.session.intake == .none)
        try conversation.answer(.channel(.openOk), 1)
        #expect(conversation.session.intake == .pipelined)
        conversation.publish("again")
        // Exchanges and confirms belong to the new channel.
        #expect(conversation.sent().count == 5)
    }

    @Test func anExchangeOfAnotherKindRefusesWhatWasSent() throws {
        var conversation = try RabbitMQConversation.ready()
        conversation.publish("x", "y")
        let text = "PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'broadcaster'"
        try conversation.answer(
            .channel(.close(AMQPClose(code: 406, text: text, cause: AMQPMethod.ID(40, 10)))), 1)
        #expect(
            conversation.takeEvents() == [
                "! publish refused 0 \(text)", "! publish refused 1 \(text)",
            ])
    }

    /// The exchange is deleted while messages are on their way: some may have been published.
    @Test func afterAConfirmTheRestIsUnknown() throws {
        var conversation = try published(3)
        try conversation.answer(.basic(.ack(1, multiple: false)), 1)
        let text = "NOT_FOUND - no exchange 'broadcaster'"
        try conversation.answer(
            .channel(.close(AMQPClose(code: 404, text: text, cause: AMQPMethod.ID(60, 40)))), 1)
        #expect(
            conversation.takeEvents() == [
                "! published 0 ?", "! publish lost 1 \(text)", "! publish lost 2 \(text)",
            ])
    }

    /// The core takes its messages before it hears of the closed channel.
    @Test(arguments: ["amqp://h", "amqp://h?history=stream"])
    func nothingIsPublishedWhileTheChannelIsReopened(url: String) throws {
        var conversation = try RabbitMQConversation.ready(url)
        let close = AMQPClose(code: 404, text: "no exchange", cause: AMQPMethod.ID(60, 40))
        try conversation.answer(.channel(.close(close)), 1)
        _ = conversation.sent()
        conversation.publish("x")
        #expect(
            conversation.takeEvents() == [
                "! publish refused 0 the connection that publishes is not there"
            ])
        #expect(conversation.sentRaw().isEmpty)
        try conversation.answer(.channel(.openOk), 1)
        conversation.publish("y")
        #expect(!conversation.sentRaw().isEmpty)
    }

    @Test func aServerMayAskToStop() throws {
        var conversation = try RabbitMQConversation.ready()
        try conversation.answer(.channel(.flow(false)), 1)
        #expect(conversation.session.intake == .none)
        #expect(conversation.session.hold != nil)
        #expect(conversation.sent() == [.channel(.flowOk(false))])
        try conversation.answer(.channel(.flow(true)), 1)
        #expect(conversation.session.intake == .pipelined)
    }

    // MARK: Blocked

    @Test func aBlockedServerTakesNothingAndIsAlive() throws {
        var conversation = try published(2)
        _ = conversation.sent()
        try conversation.answer(.connection(.blocked("low on memory")), 0)
        #expect(
            conversation.takeEvents() == ["! warned the server takes no messages: low on memory"])
        #expect(conversation.session.intake == .none)
        #expect(conversation.session.hold == "the server takes no messages: low on memory")
        // It answers no question, but its heartbeats do.
        conversation.perform(.ping)
        #expect(conversation.sent().isEmpty)
        try conversation.receive([8, 0, 0, 0, 0, 0, 0, 0xce])
        #expect(conversation.takeEvents() == ["! answered"])
        // What was sent before is unknown when its time is over; nothing else is lost.
        for _ in 0..<20 {
            try conversation.wait(.seconds(5))
            try conversation.receive([8, 0, 0, 0, 0, 0, 0, 0xce])
        }
        let reason = "the server takes no messages: low on memory"
        #expect(
            conversation.takeEvents() == [
                "! publish lost 0 \(reason)", "! publish lost 1 \(reason)",
            ])
        #expect(!conversation.sent().contains(.basic(.qos(prefetch: 0))))
        try conversation.answer(.connection(.unblocked), 0)
        #expect(conversation.takeEvents() == ["! warned the server takes messages again"])
        #expect(conversation.session.intake == .pipelined)
        // The confirms come late, and are nobody's.
        try conversation.answer(.basic(.ack(2, multiple: true)), 1)
        #expect(conversation.takeEvents().isEmpty)
        conversation.publish("after")
        try conversation.answer(.basic(.ack(3, multiple: false)), 1)
        #expect(conversation.takeEvents() == ["! published 2 ?"])
    }

    @Test func aBlockedServerThatFallsSilentIsGivenUp() throws {
        var conversation = try published(1)
        try conversation.answer(.connection(.blocked("low on disk")), 0)
        let error = #expect(throws: ProtocolError.self) { try conversation.wait(.seconds(60)) }
        #expect(error?.kind == .silence)
    }

    @Test func aPingOnTheWayIsAnsweredByAHeartbeatToo() throws {
        var conversation = try published(1)
        conversation.perform(.ping)
        try conversation.answer(.connection(.blocked("low on memory")), 0)
        try conversation.receive([8, 0, 0, 0, 0, 0, 0, 0xce])
        #expect(conversation.takeEvents().last == "! answered")
        try conversation.answer(.connection(.unblocked), 0)
        _ = conversation.takeEvents()
        try conversation.answer(.basic(.qosOk), 1)
        #expect(conversation.takeEvents().isEmpty)
    }

    /// The server does not read a goodbye, and would never answer it.
    @Test func aBlockedConnectionIsClosedWithoutGoodbye() throws {
        var conversation = try published(1)
        try conversation.answer(.connection(.blocked("low on memory")), 0)
        _ = conversation.sent()
        conversation.perform(.close)
        #expect(conversation.finished == [.main])
        #expect(conversation.sent().isEmpty)
        conversation = try published(1)
        _ = conversation.sent()
        conversation.perform(.close)
        #expect(conversation.finished.isEmpty)
        #expect(conversation.sent() == [.connection(.close(AMQPClose(code: 200, text: "bye")))])
    }
}
