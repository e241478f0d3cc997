/// One line of a transcript, as `--trace` prints and `Fixtures/` stores it.
///
/// `>` a command, `C:` bytes of the client, `S:` bytes of the server, `!` an event, `x` an error. A lane other than
/// `.main` stands behind its letter: `C1:`. A pattern has a `~` before it. Bytes that are not printable ASCII are
/// escaped as `\r`, `\n`, `\\` and `\xNN`.
package enum TranscriptLine {
    /// - Parameter secrets: masked by an asterisk for each byte, wherever they stand.
    package static func sent(_ bytes: [UInt8], on lane: Lane, secrets: [String] = []) -> String {
        "C\(mark(lane)): \(escape(secrets.reduce(bytes, mask)))"
    }

    package static func received(
        _ bytes: ArraySlice<UInt8>, on lane: Lane, secrets: [String] = []
    ) -> String {
        "S\(mark(lane)): \(escape(secrets.reduce(Array(bytes), mask)))"
    }

    /// Masks a secret, also the mere beginning of a long one: Redis cuts its quotations after 128 bytes.
    package static func mask(_ bytes: [UInt8], _ secret: String?) -> [UInt8] {
        guard let secret = secret.map({ Array($0.utf8) }), !secret.isEmpty else { return bytes }
        var bytes = bytes
        var place = 0
        while place < bytes.count {
            let length = zip(bytes[place...], secret).prefix { $0 == $1 }.count
            if length >= min(secret.count, recognizable) {
                for index in place..<place + length { bytes[index] = UInt8(ascii: "*") }
                place += length
            } else {
                place += 1
            }
        }
        return bytes
    }

    /// The fewest bytes of a secret that do not occur by chance.
    private static let recognizable = 8

    package static func error(_ error: ProtocolError) -> String {
        "x \(error)"
    }

    package static func command(_ command: Command) -> String {
        switch command {
        case .subscribe(let topics): "> subscribe \(list(topics))"
        case .unsubscribe(let topics): "> unsubscribe \(list(topics))"
        case .publish(let messages):
            messages.map { message in
                "> publish \(show(.channel(message.channel))) \(escape(message.payload.bytes))"
            }.joined(separator: "\n")
        case .read(let requests): requests.map { "> read \(show($0))" }.joined(separator: "\n")
        case .ping: "> ping"
        case .close: "> close"
        }
    }

    /// - Parameter topicName: the name of a topic by its number.
    package static func event(_ event: Event, topicName: (Int) -> TopicName?) -> [String] {
        func name(_ topic: Int) -> String { topicName(topic).map(show) ?? "?" }
        switch event {
        case .ready(let server): return ["! ready \(server.dialect)"]
        case .rejected(let rejection): return ["! rejected \(rejection.kind) \(rejection.message)"]
        case .redirected(let endpoints):
            return ["! redirected " + endpoints.map(\.description).joined(separator: " ")]
        case .learned(let endpoints):
            return ["! learned " + endpoints.map(\.description).joined(separator: " ")]
        case .changed(let server): return ["! changed \(server.dialect)"]
        case .subscribed(let topic, let position):
            return ["! subscribed \(name(topic))" + (position.map { " at \($0)" } ?? "")]
        case .unsubscribed(let topic): return ["! unsubscribed \(name(topic))"]
        case .subscriptionRefused(let topic, let rejection):
            return ["! refused \(name(topic)) \(rejection.message)"]
        case .interrupted(let topics, let reason):
            return ["! interrupted \(topics.map(name).joined(separator: " ")): \(reason)"]
        case .postponed(let topics):
            return ["! postponed \(topics.map(name).joined(separator: " "))"]
        case .messages(let block): return messages(block)
        case .page(let page): return lines(of: page)
        case .pageRefused(let ticket, let rejection):
            return ["! page refused \(ticket) \(rejection.message)"]
        case .rang(let topic): return ["! rang \(name(topic))"]
        case .undeliverable(let topic, let text): return ["! undeliverable \(name(topic)) \(text)"]
        case .dropped(let topic, let count, let text):
            return ["! dropped \(name(topic)) \(count) \(text)"]
        case .published(let acceptance):
            return (0..<acceptance.count).map { offset in
                let ticket = acceptance.firstTicket + UInt64(offset)
                return "! published \(ticket) \(show(acceptance[offset]))"
            }
        case .publishRefused(let ticket, let rejection):
            return ["! publish refused \(ticket) \(rejection.message)"]
        case .publishLost(let ticket, let reason): return ["! publish lost \(ticket) \(reason)"]
        case .answered: return ["! answered"]
        case .warned(let text): return ["! warned \(text)"]
        }
    }

    static func messages(_ block: MessageBlock) -> [String] {
        (0..<block.runCount).flatMap { number in
            let (origin, extent) = (block.origin(ofRun: number), block.extent(ofRun: number))
            var offset = extent.start
            return (0..<extent.count).map { _ in
                let range = block.message(at: offset, positionSize: extent.positionSize)
                offset = range.upperBound
                let position = block.position(ofRun: number, messageAt: range.lowerBound)
                let pattern = origin.pattern.map { " (\(escape($0.utf8)))" } ?? ""
                let place = position.map { " [\($0)]" } ?? ""
                return "! message \(escape(origin.channelBytes))\(pattern)\(place)"
                    + " \(escape(block.storage[range]))"
            }
        }
    }

    private static func list(_ topics: [Topic]) -> String {
        topics.map { show($0.name) }.joined(separator: " ")
    }

    /// Shows a name among others: escapes its blanks too.
    static func show(_ name: TopicName) -> String {
        let words = name.bytes.split(
            separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        return (name.isPattern ? "~" : "")
            + words.map { escape($0) }.joined(separator: "\\x20")
    }

    private static func show(_ receipt: Receipt) -> String {
        (receipt.receivers.map(String.init) ?? "?")
            + (receipt.position.map { " at \($0)" } ?? "")
    }

    private static func mark(_ lane: Lane) -> String {
        lane == .main ? "" : String(lane.index)
    }

    package static func escape(_ bytes: some Sequence<UInt8>) -> String {
        var text: [UInt8] = []
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\r"): text += "\\r".utf8
            case UInt8(ascii: "\n"): text += "\\n".utf8
            case UInt8(ascii: "\\"): text += "\\\\".utf8
            case 0x20...0x7e: text.append(byte)
            default: text += ("\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)).utf8
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}
