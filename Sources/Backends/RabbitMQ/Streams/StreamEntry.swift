import BroadcasterWire

/// A message as a stream has it, or a mark.
///
/// A stream tells nobody where its end is: what has been written is delivered, and then nothing is, which a slow server
/// does too. So who must know the end writes a mark, a message without a body that only readers of the stream see, and
/// reads up to it.
struct StreamEntry: Sendable {
    /// The offset, and a check of the message there: a stream that was deleted and made anew begins with 0 again.
    let position: Position
    /// nil for a message that is longer than what may be received.
    private(set) var payload: [UInt8]?
    /// Bytes of the message.
    let size: Int
    /// The mark's name.
    let mark: String?

    static let markName = "broadcaster-mark"
    private static let offsetName = "x-stream-offset"
    /// The first bytes of a message stand for it.
    private static let checked = 256

    init(_ content: ContentAssembler.Content) throws(ProtocolError) {
        let header = content.header
        guard let offset = header.headers[StreamEntry.offsetName]?.integer, offset >= 0 else {
            throw ProtocolError(
                reading: "RabbitMQ stream", expected: "a message with \(StreamEntry.offsetName)",
                found: "one without an offset")
        }
        mark = header.headers[StreamEntry.markName]?.string
        payload = content.body
        size = header.bodySize
        position = Position(UInt64(offset), StreamEntry.check(header, content.body ?? []))
    }

    mutating func dropPayload() {
        payload = nil
    }

    var offset: UInt64 { position.pair?.major ?? 0 }

    /// FNV-1a of 32 bits.
    private static func check(_ header: ContentHeader, _ body: [UInt8]) -> UInt64 {
        var hash: UInt32 = 0x811C_9DC5
        func add(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
        }
        let stamp = MessageStamp(header.headers)
        add(stamp?.publisher ?? [])
        add("\(stamp?.number ?? 0) \(header.bodySize) ".utf8)
        add((header.headers[markName]?.string ?? "").utf8)
        add(header.messageID ?? [])
        add(body.prefix(checked))
        return UInt64(hash)
    }
}
