import Broadcaster
import BroadcasterJSON
import Foundation
import Testing

/// Channels of values: what travels, and what comes of what is no value.
@Suite(.timeLimit(.minutes(2)))
struct TypedChannelTests {
    struct Line: Codable, Hashable, Sendable {
        var user: String
        var text: String
        var place: Double?
    }

    private static let lines = [
        Line(user: "ada", text: "hello"), Line(user: "é/🔑", text: "a\"b\n\u{2028}", place: 0.5),
    ]

    private func connected(_ url: String = "memory://") async throws -> Broadcast {
        let broadcast = try Broadcast(url)
        try await broadcast.connect()
        return broadcast
    }

    private func words(_ events: TypedSubscription<Line>.Events) async throws -> [String] {
        var words: [String] = []
        for try await event in events {
            switch event {
            case .value(let line, _): words.append(line.text)
            case .undecodable(let failure): words.append("not \(failure.message.text)")
            case .gap(let gap): words.append("gap \(gap.lost ?? -1)")
            }
        }
        return words
    }

    @Test func valuesArriveAsTheyWere() async throws {
        let broadcast = try await connected()
        let chat = broadcast.channel("chat", of: Line.self, codec: .json)
        let subscription = try await chat.subscribe()
        try await chat.publish(Self.lines[0])
        #expect(try await chat.publish(contentsOf: [Self.lines[1]]).count == 1)
        await broadcast.disconnect()
        var received: [Line] = []
        for try await line in subscription.values { received.append(line) }
        #expect(received == Self.lines)
        #expect(chat.name == "chat" && chat.codec == "json")
    }

    @Test func aValueTravelsAsItsText() async throws {
        let broadcast = try await connected()
        let untyped = try await broadcast.subscribe(to: "chat")
        let chat = broadcast.channel("chat", of: Line.self, codec: .json)
        try await chat.publish(contentsOf: Self.lines)
        await broadcast.disconnect()
        var texts: [String] = []
        for try await message in untyped { texts.append(message.text) }
        #expect(
            texts == [
                #"{"text":"hello","user":"ada"}"#,
                #"{"place":0.5,"text":"a\"b\n"# + "\u{2028}" + #"","user":"é/🔑"}"#,
            ])
    }

    /// What any peer may write, each between two values.
    @Test(
        arguments: [
            "", "{", "null", "[]", "{}", #"{"user":"x"}"#, #"{"user":1,"text":""}"#, "NaN",
            #"{"user":"x","text":"y"} trailing"#, String(repeating: "[", count: 100_000),
        ])
    func whatIsNoValueStandsInItsPlace(text: String) async throws {
        let broadcast = try await connected()
        let chat = broadcast.channel("chat", of: Line.self, codec: .json)
        let subscription = try await chat.subscribe()
        let throwing = try await chat.subscribe()
        try await chat.publish(Line(user: "a", text: "before"))
        try await broadcast.publish(text, to: "chat")
        try await broadcast.publish([0xff, 0x00], to: "chat")
        try await chat.publish(Line(user: "a", text: "after"))
        await broadcast.disconnect()
        var received: [TypedMessage<Line>] = []
        for try await line in subscription { received.append(line) }
        #expect(received.map { $0.value?.text } == ["before", nil, nil, "after"])
        #expect(received[1].message.text == text)
        #expect(received[2].message.bytes == [0xff, 0x00])
        guard case .undecodable(let failure) = received[1] else { return }
        #expect(failure.codec == "json" && failure.error is DecodingError)
        var values = throwing.values.makeAsyncIterator()
        #expect(try await values.next()?.text == "before")
        for _ in 0..<2 {
            let error = await #expect(throws: BroadcastError.self) { try await values.next() }
            guard case .undecodable? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        #expect(try await values.next()?.text == "after", "the same loop can go on behind it")
    }

    @Test func gapsAreThoseOfTheBuffer() async throws {
        let broadcast = try await connected()
        let chat = broadcast.channel("chat", of: Line.self, codec: .json)
        let subscription = try await chat.subscribe(buffer: SubscriptionBuffer(messages: 2))
        try await chat.publish(contentsOf: (0..<4).map { Line(user: "a", text: "\($0)") })
        try await broadcast.publish("x", to: "chat")
        await broadcast.disconnect()
        #expect(try await words(subscription.events) == ["gap 3", "3", "not x"])
    }

    @Test func historyAndPositionsAreThoseOfTheChannel() async throws {
        let broadcast = try await connected("memory://?history=10")
        let chat = broadcast.channel("chat", of: Line.self, codec: .json)
        let place = try await chat.publish(Self.lines[0]).position
        try await chat.publish(Self.lines[1])
        let subscription = try await chat.subscribe(history: .all)
        var messages = subscription.makeAsyncIterator()
        let first = try await messages.next()
        #expect(first?.value == Self.lines[0])
        #expect(first?.message.position == place && place != nil)
        let page = try await broadcast.history(of: "chat").messages.map(chat.decode)
        #expect(page.map(\.value) == Self.lines)
        subscription.cancel()
        #expect(broadcast.statistics.subscribers == 0)
        await broadcast.disconnect()
    }

    @Test func whatCannotBeEncodedIsNotSent() async throws {
        let broadcast = try await connected()
        let chat = broadcast.channel("chat", of: Line.self, codec: .json)
        let wrong = Line(user: "a", text: "b", place: .infinity)
        for call: () async throws -> Void in [
            { try await chat.publish(wrong) },
            { try await chat.publish(contentsOf: [Self.lines[0], wrong]) },
        ] {
            let error = await #expect(throws: BroadcastError.self) { try await call() }
            guard case .invalid(let text)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(text.contains("Line") && text.contains("json"))
        }
        #expect(broadcast.statistics.published == 0)
        await broadcast.disconnect()
    }

    /// Made anew for each use: both give what the other has written.
    @Test func datesAreTextThatOthersRead() async throws {
        let codec = JSONCodec<[Date]>()
        let text = String(
            decoding: try codec.encode([Date(timeIntervalSince1970: 0)]), as: UTF8.self)
        #expect(text == #"["1970-01-01T00:00:00Z"]"#)
        #expect(try codec.decode(Array(text.utf8)) == [Date(timeIntervalSince1970: 0)])
    }

    @Test func aCodecOfTheCallersIsUsedAsItIs() async throws {
        struct Celsius: MessageCodec {
            struct NoNumber: Error {}
            let name = "celsius"
            func encode(_ value: Double) -> [UInt8] { Array("\(value)".utf8) }
            func decode(_ bytes: [UInt8]) throws -> Double {
                guard let value = Double(String(decoding: bytes, as: UTF8.self)) else {
                    throw NoNumber()
                }
                return value
            }
        }
        let broadcast = try await connected()
        let room = broadcast.channel("room", of: Double.self, codec: Celsius())
        let subscription = try await room.subscribe()
        try await room.publish(21.5)
        try await broadcast.publish("warm", to: "room")
        await broadcast.disconnect()
        var messages = subscription.makeAsyncIterator()
        #expect(try await messages.next()?.value == 21.5)
        guard case .undecodable(let failure)? = try await messages.next() else {
            Issue.record("decoded")
            return
        }
        #expect(failure.error is Celsius.NoNumber && failure.codec == "celsius")
    }
}
