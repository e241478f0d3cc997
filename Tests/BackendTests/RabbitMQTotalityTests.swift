import BroadcasterRabbitMQ
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Every phase of a session meets every frame: it moves or throws.
struct RabbitMQTotalityTests {
    private enum Phase: CaseIterable {
        case greeting, tuning, open, publishing, pinging, blocked, subscribed, closing
        case reading

        func prepared() throws -> RabbitMQConversation {
            switch self {
            case .greeting: return try RabbitMQConversation()
            case .tuning:
                var conversation = try RabbitMQConversation()
                try conversation.answer(
                    .connection(
                        .start(
                            major: 0, minor: 9, AMQPTable(), mechanisms: "PLAIN", locales: "en_US")),
                    0)
                return conversation
            case .reading:
                var conversation = try RabbitMQConversation.ready("amqp://h?history=stream")
                conversation.subscribe([.channel("c")])
                conversation.open(Lane(index: 1))
                try conversation.greet(Lane(index: 1))
                return conversation
            case .subscribed: return try .subscribed(to: .channel("c"))
            case .open, .publishing, .pinging, .blocked, .closing:
                var conversation = try RabbitMQConversation.ready()
                switch self {
                case .publishing: conversation.publish("x")
                case .pinging: conversation.perform(.ping)
                case .blocked: try conversation.answer(.connection(.blocked("low on disk")), 0)
                case .closing: conversation.perform(.close)
                default: break
                }
                return conversation
            }
        }
    }

    @Test func everyFrameInEveryPhaseMovesOrThrows() throws {
        var throwing = 0
        for phase in Phase.allCases {
            let prepared = try phase.prepared()
            for frame in RecordedFrame.all {
                for channel: UInt8 in 0...3 {
                    for lane in [Lane.main, Lane(index: 1)] {
                        var conversation = prepared
                        var bytes = frame.bytes
                        bytes[2] = channel
                        do {
                            try conversation.receive(bytes, on: lane)
                        } catch {
                            throwing += 1
                        }
                    }
                }
            }
        }
        #expect(throwing > 1000, "most frames are out of place in most phases")
    }

    /// Frames of a message where none, or another one, is due.
    @Test func framesOutOfPlaceAreViolations() throws {
        let delivery = RabbitMQConversation.delivery("hello")
        let method = Array(delivery.prefix { $0 != 0xce }) + [0xce]
        let header = RabbitMQConversation.frame(2, 2, [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0])
        let body = RabbitMQConversation.frame(3, 2, Array("hello".utf8))
        var close: [UInt8] = []
        AMQPMethod.channel(.close(AMQPClose(code: 404, text: "x"))).append(on: 2, to: &close)
        for wrong in [
            header, body, method + body, method + method, method + header + header,
            method + header + method, method + close,
            method + header + RabbitMQConversation.frame(3, 2, Array("hello!".utf8)),
            method + header + RabbitMQConversation.frame(3, 2, []),
            method
                + RabbitMQConversation.frame(2, 2, [0, 61, 0, 0] + Array(repeating: 0, count: 10)),
            method
                + RabbitMQConversation.frame(
                    2, 2, [0, 60, 0, 0] + Array(repeating: 255, count: 8) + [0, 0]),
            method
                + RabbitMQConversation.frame(
                    2, 2, [0, 60, 0, 0] + Array(repeating: 0, count: 8) + [0, 1]),
            RabbitMQConversation.frame(2, 1, [0, 60, 0, 0] + Array(repeating: 0, count: 10)),
            RabbitMQConversation.frame(3, 0, [1]),
        ] {
            for feed in Feed.allCases {
                var conversation = try RabbitMQConversation.subscribed(to: .channel("c"))
                #expect(throws: ProtocolError.self) {
                    try conversation.receive(wrong, on: Lane(index: 1), feed: feed)
                }
            }
        }
    }

    /// A size is no reason to reserve memory: the bytes have to come.
    @Test func aHugeMessageIsPassedOverWithoutMemory() throws {
        var conversation = try RabbitMQConversation.subscribed(to: .channel("c"))
        let delivery = RabbitMQConversation.delivery("hello")
        let method = Array(delivery.prefix { $0 != 0xce }) + [0xce]
        let size: [UInt8] = [0, 0, 255, 255, 255, 255, 255, 255]
        let header = RabbitMQConversation.frame(2, 2, [0, 60, 0, 0] + size + [0, 0])
        try conversation.receive(method + header, on: Lane(index: 1))
        let piece = RabbitMQConversation.frame(3, 2, Array(repeating: 0, count: 100_000))
        for _ in 0..<50 { try conversation.receive(piece, on: Lane(index: 1)) }
        #expect(conversation.takeEvents().isEmpty)
    }

    @Test func messagesOnTheOtherConnectionAreViolations() throws {
        var conversation = try RabbitMQConversation.subscribed(to: .channel("c"))
        #expect(throws: ProtocolError.self) {
            try conversation.receive(RabbitMQConversation.delivery("x"), on: .main)
        }
    }
}
