package import BroadcasterWire

/// Writes commands and values of RESP.
///
/// Commands are arrays of bulk strings, with lengths in bytes: nothing in a channel's name or a message
/// can end a command or begin another.
package enum RESPEncoder {
    package static func command(_ words: [String], to bytes: inout [UInt8]) {
        header("*", words.count, to: &bytes)
        for word in words { bulkString(word, to: &bytes) }
    }

    /// Writes a command whose words need not be text.
    package static func command(_ words: [[UInt8]], to bytes: inout [UInt8]) {
        header("*", words.count, to: &bytes)
        for word in words { string("$", word, to: &bytes) }
    }

    /// Writes the beginning of a command, of which so many words follow.
    package static func command(_ words: [String], andMore count: Int, to bytes: inout [UInt8]) {
        header("*", words.count + count, to: &bytes)
        for word in words { bulkString(word, to: &bytes) }
    }

    package static func bulkString(_ payload: Payload, to bytes: inout [UInt8]) {
        header("$", payload.byteCount, to: &bytes)
        payload.append(to: &bytes)
        bytes.appendCRLF()
    }

    /// Writes a command whose arguments are the names of topics.
    package static func command(_ verb: String, _ topics: [Topic], to bytes: inout [UInt8]) {
        header("*", 1 + topics.count, to: &bytes)
        bulkString(verb, to: &bytes)
        for topic in topics {
            switch topic.name {
            case .channel(let name), .pattern(let name): bulkString(name, to: &bytes)
            case .binaryChannel(let name): string("$", name, to: &bytes)
            }
        }
    }

    /// Writes a PUBLISH for each publication. The bytes before a payload are made once for publications of one
    /// channel that follow each other: making them each time was a fifth of the cost of publishing many.
    ///
    /// - Parameter verb: PUBLISH, or SPUBLISH.
    package static func publish(
        _ publications: [Publication], by verb: String = "PUBLISH", to bytes: inout [UInt8]
    ) {
        var head: [UInt8] = []
        var channel = ""
        for publication in publications {
            if head.isEmpty || !publication.channel.utf8.span.isEqual(to: channel.utf8.span) {
                channel = publication.channel
                head = Array("*3\r\n$\(verb.utf8.count)\r\n\(verb)\r\n".utf8)
                bulkString(channel, to: &head)
            }
            bytes.makeRoom(for: head.count + publication.payload.byteCount + lengthAndEnds)
            bytes.append(contentsOf: head)
            bulkString(publication.payload, to: &bytes)
        }
    }

    /// The most bytes that a bulk string has beside its content.
    private static let lengthAndEnds = 25

    package static func bulkString(_ text: String, to bytes: inout [UInt8]) {
        header("$", text.utf8.count, to: &bytes)
        bytes.append(contentsOf: text.utf8)
        bytes.appendCRLF()
    }

    private static func header(_ type: Unicode.Scalar, _ number: Int, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: type))
        bytes.appendDecimal(number)
        bytes.appendCRLF()
    }

    // MARK: Values, as a server writes them

    package static func value(_ value: RESPValue, to bytes: inout [UInt8]) {
        switch value {
        case .simpleString(let text): line("+", text, to: &bytes)
        case .error(let text): line("-", text, to: &bytes)
        case .integer(let number): line(":", Array(String(number).utf8), to: &bytes)
        case .null: line("_", [], to: &bytes)
        case .double(let number): line(",", Array("\(number)".utf8), to: &bytes)
        case .boolean(let flag): line("#", [UInt8(ascii: flag ? "t" : "f")], to: &bytes)
        case .bigNumber(let digits): line("(", digits, to: &bytes)
        case .bulkString(let text): string("$", text, to: &bytes)
        case .blobError(let text): string("!", text, to: &bytes)
        case .verbatimString(let format, let text):
            string("=", format + [UInt8(ascii: ":")] + text, to: &bytes)
        case .array(let items): aggregate("*", items.count, items, to: &bytes)
        case .set(let items): aggregate("~", items.count, items, to: &bytes)
        case .push(let items): aggregate(">", items.count, items, to: &bytes)
        case .map(let items): aggregate("%", items.count / 2, items, to: &bytes)
        case .attributed(let attributes, let described):
            aggregate("|", attributes.count / 2, attributes + [described], to: &bytes)
        }
    }

    private static func line(_ type: Unicode.Scalar, _ text: [UInt8], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: type))
        bytes.append(contentsOf: text)
        bytes.appendCRLF()
    }

    private static func string(_ type: Unicode.Scalar, _ text: [UInt8], to bytes: inout [UInt8]) {
        header(type, text.count, to: &bytes)
        bytes.append(contentsOf: text)
        bytes.appendCRLF()
    }

    private static func aggregate(
        _ type: Unicode.Scalar, _ count: Int, _ items: [RESPValue], to bytes: inout [UInt8]
    ) {
        header(type, count, to: &bytes)
        for item in items { value(item, to: &bytes) }
    }
}
