import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Messages that keep the memory that they were read into, among others.
struct RedisLargeMessageTests {
    private typealias Message = (topic: Int, text: [UInt8])

    /// A session that is subscribed to `large` and `small`.
    private struct Client {
        var session: any Session
        var output = SessionOutput()
        var buffer = ReceiveBuffer()
        var messages: [Message] = []
        var blocks: [MessageBlock] = []

        init(_ url: String = "redis://h") throws {
            session = try redisSession(url)
            session.opened(.main, to: .test, at: .now, into: &output)
            try receive(Array("%1\r\n+version\r\n+7\r\n".utf8), piece: 100)
            let topics = ["large", "small"].enumerated().map {
                Topic(id: $0, name: .channel($1))
            }
            session.perform(.subscribe(topics), at: .now, into: &output)
            for name in ["large", "small"] {
                try receive(
                    Array(">3\r\n+subscribe\r\n+\(name)\r\n:1\r\n".utf8), piece: 100)
            }
        }

        /// Reads as a transport does.
        mutating func receive(_ bytes: [UInt8], piece: Int) throws {
            var rest = bytes[...]
            while !rest.isEmpty {
                let next = rest.prefix(min(buffer.makeRoom(limit: 16_384), piece))
                rest = rest.dropFirst(next.count)
                buffer.fill { $0.append(contentsOf: next) }
                try session.receive(&buffer, on: .main, at: .now, into: &output)
                for case .messages(let block) in output.takeEvents() { take(block) }
            }
        }

        private mutating func take(_ block: MessageBlock) {
            blocks.append(block)
            for number in 0..<block.runCount {
                let run = block.extent(ofRun: number)
                var offset = run.start
                for _ in 0..<run.count {
                    let range = block.message(at: offset)
                    messages.append((block.topic(ofRun: number), Array(block.storage[range])))
                    offset = range.upperBound
                }
                #expect(offset == run.end)
            }
        }
    }

    private func content(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed) }
    }

    private func frame(_ channel: String, _ text: [UInt8], declared: Int? = nil) -> [UInt8] {
        Array(">3\r\n$7\r\nmessage\r\n$\(channel.utf8.count)\r\n\(channel)\r\n".utf8)
            + Array("$\(declared ?? text.count)\r\n".utf8) + text + Array("\r\n".utf8)
    }

    private static let pieces = [1, 997, 4096, 16_384, 1 << 20]
    private static let sizes = [40_000, 262_100, 300_000]

    @Test(arguments: pieces, sizes)
    func messagesComeWholeAndInOrder(piece: Int, size: Int) throws {
        if piece == 1, size > 40_000 { return }
        var client = try Client()
        var sent: [Message] = []
        for (number, count) in [5, size, size, 0, 4096, size, 3, size].enumerated() {
            sent.append((count < 100 ? 1 : 0, content(count, number)))
        }
        let stream = sent.flatMap { frame($0.topic == 0 ? "large" : "small", $0.text) }
        try client.receive(stream, piece: piece)
        #expect(client.messages.map(\.topic) == sent.map(\.topic))
        #expect(client.messages.map(\.text) == sent.map(\.text))
        #expect(client.buffer.isEmpty)
        for block in client.blocks where block.extent(ofRun: 0).payloadSize > 0 {
            #expect(block.storage.capacity <= 2 * block.storage.count + 16_384)
        }
    }

    @Test func aLargeMessageIsNotCopied() throws {
        var client = try Client()
        let bytes = frame("large", content(400_000, 1))
        try client.receive(Array(bytes[..<350_000]), piece: 16_384)
        _ = client.buffer.makeRoom(limit: 16_384)
        let room = client.buffer.bytes.capacity - client.buffer.bytes.count
        try #require(room >= bytes.count - 350_000)
        let address = client.buffer.bytes.withUnsafeBufferPointer { $0.baseAddress }
        try client.receive(Array(bytes[350_000...]), piece: 1 << 20)
        let block = try #require(client.blocks.last)
        #expect(block.storage.withUnsafeBufferPointer { $0.baseAddress } == address)
        #expect(client.messages.map(\.text) == [content(400_000, 1)])
    }

    /// Of the decoder's faults, as if the message were a small one.
    @Test(arguments: [4096, 1 << 20]) func aMessageLongerThanDeclaredIsAFault(piece: Int) throws {
        var client = try Client()
        let wrong = frame("large", content(300_003, 1), declared: 300_000)
        let error = #expect(throws: ProtocolError.self) {
            try client.receive(wrong, piece: piece)
        }
        #expect("\(error, default: "")".contains("CRLF after 300000 bytes"))
        #expect(client.messages.isEmpty)
    }

    /// The declared lengths of a server that lies: none of them costs memory.
    @Test(arguments: [
        "67108864", "67108865", "9223372036854775807", "99999999999999999999999", "-5",
    ])
    func aDeclaredLengthCostsNothing(length: String) throws {
        var client = try Client()
        let bytes = ">3\r\n$7\r\nmessage\r\n$5\r\nlarge\r\n$\(length)\r\nabc"
        do throws(ProtocolError) {
            try client.session.receive(
                bytes, &client.buffer, into: &client.output)
            #expect(length == "67108864")
        } catch {
            #expect(length != "67108864")
        }
        _ = client.buffer.makeRoom(limit: 16_384)
        #expect(client.buffer.bytes.capacity <= 80_000)
    }

    /// The client leaves the channel while a message comes: it is passed over, and what follows is not.
    @Test func aChannelThatWasLeftMeanwhileIsPassedOver() throws {
        var client = try Client()
        let first = frame("large", content(300_000, 1))
        try client.receive(Array(first[..<50_000]), piece: 9000)
        let topic = Topic(id: 0, name: .channel("large"))
        client.session.perform(.unsubscribe([topic]), at: .now, into: &client.output)
        try client.receive(
            Array(first[50_000...]) + Array(">3\r\n+unsubscribe\r\n+large\r\n:1\r\n".utf8)
                + frame("large", content(300_000, 2)) + frame("small", [7]), piece: 9000)
        #expect(client.messages.map(\.topic) == [0, 1])
        #expect(client.messages.last?.text == [7])
    }
}

extension Session {
    fileprivate mutating func receive(
        _ text: String, _ buffer: inout ReceiveBuffer, into output: inout SessionOutput
    ) throws(ProtocolError) {
        buffer.append(text.utf8)
        try receive(&buffer, on: .main, at: .now, into: &output)
    }
}
