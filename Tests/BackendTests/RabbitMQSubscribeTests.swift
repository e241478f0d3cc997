import BroadcasterRabbitMQ
import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct RabbitMQSubscribeTests {
    private let lane = Lane(index: 1)
    private typealias Conversation = RabbitMQConversation

    @Test func aConnectionThatReceivesComesWithTheFirstTopic() throws {
        var conversation = try Conversation.ready()
        #expect(conversation.takeWishes().isEmpty)
        conversation.subscribe([.channel("a")])
        conversation.subscribe([.channel("b")])
        #expect(conversation.takeWishes() == [lane])
        conversation.open(lane)
        try conversation.greet(lane)
        let sent = conversation.sent(on: lane).dropFirst(3)
        let arguments = AMQPTable([
            "x-max-length": .int32(10_000), "x-max-length-bytes": .int64(64 << 20),
            "x-overflow": .text("drop-head"),
        ])
        #expect(
            Array(sent) == [
                .channel(.open), .channel(.open),
                .exchange(.declare("broadcaster", type: "topic", .durable)),
                .exchange(.declare("broadcaster.exact", type: "direct", .durable)),
                .exchange(.bind(destination: "broadcaster.exact", source: "broadcaster", key: "#")),
                .queue(.declare("", [.exclusive, .autoDelete], arguments)),
            ])
    }

    @Test func aTopicIsConfirmedWhenItsBindingIs() throws {
        var conversation = try Conversation.ready()
        conversation.subscribe([.channel("c"), .pattern("news.*")])
        try conversation.prepare(lane)
        #expect(
            conversation.sent(on: lane).suffix(3) == [
                .basic(.consume(queue: "amq.gen-1", tag: "broadcaster", [.noAck, .exclusive])),
                .queue(.bind(.init(queue: "amq.gen-1", exchange: "broadcaster.exact", key: [99]))),
                .queue(
                    .bind(
                        .init(
                            queue: "amq.gen-1", exchange: "broadcaster",
                            key: Array("news.#".utf8)))),
            ])
        #expect(conversation.takeEvents().isEmpty)
        try conversation.answer(.queue(.bindOk), 1, on: lane)
        #expect(conversation.takeEvents() == ["! subscribed c"])
        try conversation.answer(.queue(.bindOk), 1, on: lane)
        #expect(conversation.takeEvents() == ["! subscribed ~news.*"])
    }

    /// One copy comes from the server; each topic that wants it gets it.
    @Test func aMessageGoesToTheChannelAndToEachPatternThatMatches() throws {
        var conversation = try Conversation.subscribed(
            to: .channel("news.a.b"), .pattern("news.*"), .pattern("*.b"), .pattern("x*"))
        try conversation.receive(Conversation.delivery("hi", on: "news.a.b"), on: lane)
        #expect(
            conversation.takeEvents() == [
                "! message news.a.b hi", "! message news.a.b (news.*) hi",
                "! message news.a.b (*.b) hi",
            ])
        // What the binding lets through and the pattern does not mean.
        try conversation.receive(Conversation.delivery("hi", on: "news"), on: lane)
        #expect(conversation.takeEvents().isEmpty)
    }

    /// Whole and in pieces, by the scanner and by the decoder: the same.
    @Test(arguments: Feed.allCases)
    func everyFormOfAMessageArrives(feed: Feed) throws {
        var conversation = try Conversation.subscribed(to: .channel("c"), .channel("d"))
        let forms =
            Conversation.delivery("plain") + Conversation.delivery("")
            + Conversation.delivery("stamped", stamp: ("p", 1))
            + Conversation.delivery("in pieces", stamp: ("p", 2), pieces: 4)
            + [8, 0, 0, 0, 0, 0, 0, 0xce]
            + Conversation.delivery("foreign", headers: AMQPTable(["x-death": .array([.void])]))
            + Conversation.delivery("other", on: "d", stamp: ("p", 1))
            + Conversation.delivery("nobody's", on: "e")
            + Conversation.delivery("last", stamp: ("p", 3))
        try conversation.receive(forms, on: lane, feed: feed)
        #expect(
            conversation.takeEvents() == [
                "! message c plain", "! message c ", "! message c stamped", "! message c in pieces",
                "! message c foreign", "! message d other", "! message c last",
            ])
    }

    @Test(arguments: Feed.allCases)
    func aMessageThatIsTooLongIsAGapAndNothingMore(feed: Feed) throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        let long = String(repeating: "x", count: 70_000)
        let bytes = Conversation.delivery(long, pieces: 3) + Conversation.delivery("short")
        try conversation.receive(bytes, on: lane, feed: feed)
        #expect(
            conversation.takeEvents() == [
                "! undeliverable c a message has 70000 bytes, 65536 are allowed",
                "! message c short",
            ])
    }

    // MARK: Holes

    private func numbers(
        _ stamps: [(String, Int64)], on channel: String = "c", feed: Feed = .whole,
        _ conversation: inout Conversation
    ) throws -> [String] {
        var bytes: [UInt8] = []
        for (publisher, number) in stamps {
            bytes += Conversation.delivery("\(number)", on: channel, stamp: (publisher, number))
        }
        try conversation.receive(bytes, on: lane, feed: feed)
        return conversation.takeEvents().map { $0.split(separator: " ").dropFirst().prefix(3) }
            .map { $0.joined(separator: " ") }
    }

    @Test(arguments: Feed.allCases)
    func aHoleInAPublishersNumbersIsAGapWithItsCount(feed: Feed) throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        let seen = try numbers(
            [("p", 5), ("p", 6), ("q", 100), ("p", 10), ("q", 101), ("q", 103), ("p", 11)],
            feed: feed, &conversation)
        #expect(
            seen == [
                "message c 5", "message c 6", "message c 100", "dropped c 3", "message c 10",
                "message c 101", "dropped c 1", "message c 103", "message c 11",
            ])
    }

    @Test func numbersThatGoBackOrJumpTooFarBeginAnew() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        let seen = try numbers(
            [
                ("p", 5), ("p", 3), ("p", 4), ("p", -1), ("p", 9), ("p", .max), ("p", .min),
                ("p", 1),
            ],
            &conversation)
        #expect(seen.allSatisfy { $0.hasPrefix("message") })
    }

    @Test func whatPassedWhileATopicWasLeftIsNoHole() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"), .channel("d"))
        #expect(try numbers([("p", 1), ("p", 2)], &conversation).count == 2)
        let topic = conversation.topic(.channel("c"))
        conversation.perform(.unsubscribe([topic]))
        #expect(
            conversation.sent(on: lane) == [
                .queue(
                    .unbind(.init(queue: "amq.gen-1", exchange: "broadcaster.exact", key: [99])))
            ])
        try conversation.answer(.queue(.unbindOk), 1, on: lane)
        #expect(conversation.takeEvents() == ["! unsubscribed c"])
        conversation.subscribe([.channel("c")])
        try conversation.answer(.queue(.bindOk), 1, on: lane)
        #expect(conversation.takeEvents() == ["! subscribed c"])
        #expect(try numbers([("p", 9)], &conversation) == ["message c 9"])
    }

    /// The ledger is bounded: publishers are anybody.
    @Test func manyPublishersAreForgotten() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        _ = try numbers([("first", 1)], &conversation)
        for block in 0..<20 {
            _ = try numbers((0..<1000).map { ("p\(block)-\($0)", 1) }, &conversation)
        }
        #expect(try numbers([("first", 9)], &conversation) == ["message c 9"])
    }

    // MARK: Patterns that share a binding

    @Test func aBindingGoesWithTheLastPatternThatNeedsIt() throws {
        var conversation = try Conversation.subscribed(to: .pattern("a.*"), .pattern("a.?"))
        let (first, second) = (
            conversation.topic(.pattern("a.*")), conversation.topic(.pattern("a.?"))
        )
        conversation.perform(.unsubscribe([first]))
        #expect(conversation.sent(on: lane).isEmpty)
        #expect(conversation.takeEvents() == ["! unsubscribed ~a.*"])
        try conversation.receive(Conversation.delivery("x", on: "a.b"), on: lane)
        #expect(conversation.takeEvents() == ["! message a.b (a.?) x"])
        conversation.perform(.unsubscribe([second]))
        #expect(conversation.sent(on: lane).count == 1)
    }

    // MARK: Refusals

    @Test func aRefusedBindingEndsNoOther() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        conversation.subscribe([.channel("x"), .channel("forbidden"), .channel("y")])
        _ = conversation.sent(on: lane)
        try conversation.answer(.queue(.bindOk), 1, on: lane)
        let close = AMQPClose(
            code: 403, text: "ACCESS_REFUSED - access to topic", cause: AMQPMethod.ID(50, 20))
        try conversation.answer(.channel(.close(close)), 1, on: lane)
        #expect(
            conversation.takeEvents() == [
                "! subscribed x", "! refused forbidden ACCESS_REFUSED - access to topic",
            ])
        #expect(
            conversation.sent(on: lane) == [
                .channel(.closeOk), .channel(.open),
                .queue(.bind(.init(queue: "amq.gen-1", exchange: "broadcaster.exact", key: [121]))),
            ])
        // Messages go on meanwhile.
        try conversation.receive(Conversation.delivery("hi"), on: lane)
        try conversation.answer(.channel(.openOk), 1, on: lane)
        try conversation.answer(.queue(.bindOk), 1, on: lane)
        #expect(conversation.takeEvents() == ["! message c hi", "! subscribed y"])
    }

    @Test func aQueueThatIsRefusedRefusesAllThatWait() throws {
        var conversation = try Conversation.ready()
        conversation.subscribe([.channel("a"), .channel("b")])
        conversation.open(lane)
        try conversation.greet(lane)
        let text = "ACCESS_REFUSED - access to queue 'amq.gen-x' refused for user 'app'"
        try conversation.answer(
            .channel(.close(AMQPClose(code: 403, text: text, cause: AMQPMethod.ID(50, 10)))), 1,
            on: lane)
        #expect(conversation.takeEvents() == ["! refused a \(text)", "! refused b \(text)"])
        #expect(conversation.finished == [lane])
        // The next topic tries again, on another connection.
        conversation.subscribe([.channel("a")])
        #expect(conversation.takeWishes().last == Lane(index: 2))
    }

    // MARK: Losses

    @Test func aCancelledConsumerIsAGapAndAnotherConnection() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"), .channel("d"))
        conversation.subscribe([.channel("e")])
        _ = conversation.sent(on: lane)
        try conversation.answer(.basic(.cancel(tag: "broadcaster", noWait: true)), 2, on: lane)
        #expect(
            conversation.takeEvents() == [
                "! interrupted c d: the server has cancelled our consumer: its queue is gone"
            ])
        #expect(conversation.finished == [lane])
        #expect(conversation.takeWishes().last == Lane(index: 2))
        conversation.subscribe([.channel("c"), .channel("d")])
        try conversation.prepare(Lane(index: 2))
        for _ in 0..<3 { try conversation.answer(.queue(.bindOk), 1, on: Lane(index: 2)) }
        #expect(
            conversation.takeEvents() == ["! subscribed e", "! subscribed c", "! subscribed d"])
    }

    @Test func aLostConnectionThatReceivesCostsNoMessageThatWasPublished() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        conversation.publish("x")
        #expect(conversation.lose(lane) == .survived)
        #expect(
            conversation.takeEvents() == ["! interrupted c: the server closed the connection"])
        for method: AMQPMethod in [
            .exchange(.declareOk), .exchange(.declareOk), .exchange(.bindOk), .confirm(.selectOk),
            .basic(.ack(1, multiple: false)),
        ] {
            try conversation.answer(method, 1)
        }
        #expect(conversation.takeEvents() == ["! published 0 ?"])
        conversation.subscribe([.channel("c")])
        #expect(conversation.takeWishes().last == Lane(index: 2))
        // Lost again before it held: the core goes on, with its waits.
        conversation.open(Lane(index: 2))
        #expect(conversation.lose(Lane(index: 2)) == .ended)
    }

    @Test func aLostConnectionThatPublishesIsNoGap() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        conversation.publish("x")
        conversation.perform(.ping)
        #expect(conversation.lose(.main) == .survived)
        #expect(
            conversation.takeEvents() == ["! publish lost 0 the server closed the connection"])
        #expect(conversation.session.intake == .none)
        let next = Lane(index: 2)
        #expect(conversation.takeWishes().last == next)
        conversation.open(next)
        try conversation.greet(next)
        try conversation.answer(.channel(.openOk), 1, on: next)
        #expect(conversation.session.intake == .pipelined)
        try conversation.answer(.basic(.qosOk), 1, on: next)
        #expect(conversation.takeEvents() == ["! answered"])
        _ = conversation.sent(on: next)
        conversation.publish("y")
        #expect(conversation.sent(on: next).count == 5)
        try conversation.receive(Conversation.delivery("still here"), on: lane)
        #expect(conversation.takeEvents() == ["! message c still here"])
    }

    @Test func twoLossesInShortOrderEndTheSession() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        #expect(conversation.lose(.main) == .survived)
        #expect(conversation.lose(lane) == .ended)
        conversation = try Conversation.subscribed(to: .channel("c"))
        #expect(conversation.lose(lane) == .survived)
        conversation.now += .seconds(6)
        #expect(conversation.lose(.main) == .ended, "nothing receives, so nothing is kept by that")
    }

    @Test func aNodeThatStopsIsTemporary() throws {
        var conversation = try Conversation.ready()
        let text = "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'"
        try conversation.answer(.connection(.close(AMQPClose(code: 320, text: text))), 0)
        #expect(conversation.takeEvents() == ["! rejected temporary \(text)"])
    }

    @Test func aServerThatBlamesUsIsAViolation() throws {
        var conversation = try Conversation.ready()
        let close = AMQPClose(code: 505, text: "UNEXPECTED_FRAME", cause: AMQPMethod.ID(60, 40))
        let error = #expect(throws: ProtocolError.self) {
            try conversation.answer(.connection(.close(close)), 0)
        }
        #expect(error?.description.contains("UNEXPECTED_FRAME") == true)
    }

    // MARK: Signs of life

    @Test func heartbeatsGoOutAndSilenceIsAskedAboutAndThenFatal() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        try conversation.wait(.seconds(5))
        #expect(conversation.sentRaw() == [8, 0, 0, 0, 0, 0, 0, 0xce])
        #expect(conversation.sentRaw(on: lane) == [8, 0, 0, 0, 0, 0, 0, 0xce])
        try conversation.wait(.milliseconds(5500))
        #expect(conversation.sent() == [.basic(.qos(prefetch: 0))])
        #expect(conversation.sent(on: lane) == [.basic(.qos(prefetch: 0))])
        try conversation.answer(.basic(.qosOk), 1)
        try conversation.answer(.basic(.qosOk), 1, on: lane)
        #expect(conversation.takeEvents().isEmpty)
        let error = #expect(throws: ProtocolError.self) { try conversation.wait(.seconds(60)) }
        #expect(error?.kind == .silence)
    }

    @Test func heartbeatsOfTheServerAreEnough() throws {
        var conversation = try Conversation.subscribed(to: .channel("c"))
        for _ in 0..<20 {
            try conversation.wait(.seconds(5))
            try conversation.receive([8, 0, 0, 0, 0, 0, 0, 0xce])
            try conversation.receive([8, 0, 0, 0, 0, 0, 0, 0xce], on: lane)
        }
        #expect(!conversation.sent().contains(.basic(.qos(prefetch: 0))))
    }
}
