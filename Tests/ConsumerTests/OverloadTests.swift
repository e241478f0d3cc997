import Broadcaster
import BroadcasterTesting
import Foundation
import Testing

/// Arguments of all kinds, as programs have them.
@Suite(.timeLimit(.minutes(1)))
struct OverloadTests {
    private func published(
        _ publishing: (Broadcast) async throws -> Void
    ) async throws -> [String] {
        let broadcast = try Broadcast(.memory)
        try await broadcast.connect()
        let messages = try await broadcast.subscribe(to: "c")
        try await publishing(broadcast)
        await broadcast.disconnect()
        var texts: [String] = []
        for try await message in messages { texts.append(message.text) }
        return texts
    }

    @Test func textsAndBytesOfAnyTypeArePublished() async throws {
        let bytes: [UInt8] = [97, 98, 99]
        let texts = try await published { broadcast in
            try await broadcast.publish("literal", to: "c")
            try await broadcast.publish("a b".split(separator: " ")[1], to: "c")
            try await broadcast.publish([104, 105], to: "c")
            try await broadcast.publish(bytes.dropFirst(), to: "c")
            try await broadcast.publish(Data(bytes), to: "c", retry: .atLeastOnce)
            try await broadcast.publish("utf8".utf8, to: "c")
            try await broadcast.publish(repeatElement(UInt8(120), count: 3), to: "c")
        }
        #expect(texts == ["literal", "b", "hi", "bc", "abc", "utf8", "xxx"])
    }

    @Test func soAreManyOfThem() async throws {
        let texts = try await published { broadcast in
            let receipts = try await broadcast.publish(contentsOf: ["1", "2"], to: "c")
            #expect(receipts.map(\.receivers) == [1, 1])
            try await broadcast.publish(contentsOf: "3 4".split(separator: " "), to: "c")
            try await broadcast.publish(contentsOf: [[53], [54]], to: "c")
            try await broadcast.publish(contentsOf: [Data([55])], to: "c", retry: .atLeastOnce)
            try await broadcast.publish(contentsOf: (8...9).lazy.map { "\($0)" }, to: "c")
        }
        #expect(texts == ["1", "2", "3", "4", "5", "6", "7", "8", "9"])
    }

    @Test func channelsAndPatternsMayStandTogether() async throws {
        let broadcast = try Broadcast(.memory)
        try await broadcast.connect()
        let both = try await broadcast.subscribe(to: "a", "b", patterns: "c*", "d*")
        #expect(both.channels == ["a", "b"])
        #expect(both.patterns == ["c*", "d*"])
        let buffer = SubscriptionBuffer(messages: 1)
        let one = try await broadcast.subscribe(to: "a", patterns: "b.*", buffer: buffer)
        #expect(one.channels == ["a"])
        let list = try await broadcast.subscribe(to: ["a"], patterns: ["b.*"])
        #expect(list.patterns == ["b.*"])
        let patterns = try await broadcast.subscribe(toPatterns: "x*", "y*")
        #expect(patterns.patterns == ["x*", "y*"])
        let bytes = try await broadcast.subscribe(toBytes: [97], [98])
        #expect(bytes.channels == ["a", "b"])
        await broadcast.disconnect()
    }

    /// Each message that was not answered is sent again, and no other.
    @Test func aBatchIsRetriedWhereItsOutcomeIsUnknown() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        let messages = try await broadcast.subscribe(to: "c")
        connection.loseBeforeNextAnswer()
        let publishing = Task {
            try await broadcast.publish(
                contentsOf: ["1", "2", "3"], to: "c", retry: .atLeastOnce)
        }
        while broadcast.isReady { await Task.yield() }
        connection.restore()
        #expect(try await publishing.value.count == 3)
        await broadcast.disconnect()
        var texts: [String] = []
        for try await message in messages { texts.append(message.text) }
        #expect(texts.sorted() == ["1", "2", "3"])
    }
}
