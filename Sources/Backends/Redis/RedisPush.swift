import BroadcasterWire

/// What a frame says that the server sends unasked.
enum RedisPush: Hashable, Sendable {
    case message([UInt8], channel: [UInt8], pattern: [UInt8]?)
    case confirmation(SubscriptionVerb, name: [UInt8])
    /// RESP2's answer to PING on a connection that is subscribed.
    case pong
    /// A word that no version we know sends is a later version's business.
    case other

    init(_ items: [RESPValue]) throws(ProtocolError) {
        let texts = items.map(\.plain.text)
        guard let word = texts.first ?? nil else {
            throw RedisPush.unknown(items, expected: "a string first")
        }
        switch String(decoding: word, as: UTF8.self) {
        case "message": self = try RedisPush.message(items, texts, count: 3)
        case "pmessage": self = try RedisPush.message(items, texts, count: 4)
        case "pong": self = .pong
        case let text:
            guard let verb = SubscriptionVerb(confirmation: text) else {
                self = .other
                return
            }
            guard texts.count == 3 else {
                throw RedisPush.unknown(items, expected: "a channel and a count")
            }
            self = .confirmation(verb, name: texts[1] ?? [])
        }
    }

    private static func message(
        _ items: [RESPValue], _ texts: [[UInt8]?], count: Int
    ) throws(ProtocolError) -> RedisPush {
        let strings = texts.compactMap(\.self)
        guard texts.count == count, strings.count == count else {
            throw unknown(items, expected: "strings: the channel and the message")
        }
        return .message(
            strings[count - 1], channel: strings[count - 2], pattern: count == 4 ? strings[1] : nil)
    }

    private static func unknown(_ items: [RESPValue], expected: String) -> ProtocolError {
        ProtocolError(
            reading: "Redis push", expected: expected,
            found: "\(items.count) values: " + items.prefix(5).map(\.kind).joined(separator: ", "))
    }
}
