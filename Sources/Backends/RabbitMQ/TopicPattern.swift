import BroadcasterWire

/// A pattern of ours, and the key of a topic exchange that lets everything through which it matches.
///
/// RabbitMQ's wildcards stand for words between dots: `*` for one, `#` for any number. Ours cross dots, as they do on
/// every other backend. So each word with a wildcard becomes `#`, the widest there is, and what comes is matched here.
/// The words without one, at the beginning and the end, keep the rest of the traffic away.
struct TopicPattern: Sendable {
    let key: [UInt8]
    private let pattern: GlobPattern

    init(_ text: String) {
        pattern = GlobPattern(text)
        var words: [[UInt8]] = []
        for word in TopicPattern.words(of: Array(text.utf8)) {
            let next = word ?? [UInt8(ascii: "#")]
            if word == nil, words.last == next { continue }
            words.append(next)
        }
        key = Array(words.joined(separator: [UInt8(ascii: ".")]))
    }

    func matches(_ channel: [UInt8]) -> Bool {
        pattern.matches(channel)
    }

    /// The words between dots as they are on the wire; nil for those with a wildcard.
    private static func words(of text: [UInt8]) -> [[UInt8]?] {
        var words: [[UInt8]?] = []
        var word: [UInt8]? = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "."):
                words.append(word)
                word = []
            case UInt8(ascii: "*"), UInt8(ascii: "?"): word = nil
            case UInt8(ascii: "["):
                word = nil
                skipSet(&rest)
            case UInt8(ascii: "\\"): word?.append(rest.popFirst() ?? byte)
            default: word?.append(byte)
            }
        }
        words.append(word)
        return words
    }

    /// Passes over a set, in which a dot is no end of a word; it ends as `GlobPattern` says.
    private static func skipSet(_ rest: inout ArraySlice<UInt8>) {
        if rest.first == UInt8(ascii: "^") { rest.removeFirst() }
        while let byte = rest.popFirst(), byte != UInt8(ascii: "]") {
            if byte == UInt8(ascii: "\\"), !rest.isEmpty {
                rest.removeFirst()
            } else if rest.first == UInt8(ascii: "-"), rest.count >= 2 {
                // The end of a range, which may be a bracket.
                rest.removeFirst(2)
            }
        }
    }

    /// True if a word of `name` is one of RabbitMQ's wildcards.
    static func hasWildcardWord(_ name: some Sequence<UInt8>, _ wildcards: [UInt8]) -> Bool {
        Array(name).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .contains { $0.count == 1 && wildcards.contains($0[$0.startIndex]) }
    }
}
