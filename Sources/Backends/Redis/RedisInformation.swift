import BroadcasterWire

/// The fields in which a server describes itself: those of HELLO's answer, or the lines of INFO's.
enum RedisInformation {
    /// A section has 2 KB or so (Redis 8.2); what a hostile server adds is not looked at.
    private static let readLimit = 65_536

    /// The fields of INFO's answer: lines of `name:value`.
    static func fields(of text: [UInt8]) -> [(name: String, value: String)] {
        let text = String(decoding: text.prefix(readLimit), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).compactMap { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return parts.count == 2 ? (String(parts[0]), String(parts[1])) : nil
        }
    }

    /// The fields of HELLO's answer, names and values alternating. Those that are no text or number are left out.
    static func fields(of values: [RESPValue]) -> [(name: String, value: String)] {
        stride(from: 0, to: values.count - 1, by: 2).compactMap { index in
            guard let word = values[index].plain.text else { return nil }
            let name = String(decoding: word, as: UTF8.self)
            switch values[index + 1].plain {
            case .integer(let number): return (name, String(number))
            case let value:
                return value.text.map { (name, String(decoding: $0, as: UTF8.self)) }
            }
        }
    }
}
