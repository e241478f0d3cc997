/// A pattern as PSUBSCRIBE reads it (`stringmatchlen` in util.c of Redis 7.0): `*`, `?`, `[abc]`, `[a-c]`, `[^a]`,
/// and `\` before a character that stands for itself. It works on bytes, as Redis does.
///
/// Matching takes time proportional to pattern × name at worst: it abandons a `*` when it reaches the next one,
/// instead of trying all combinations.
package struct GlobPattern: Hashable, Sendable {
    private enum Element: Hashable {
        case byte(UInt8)
        case any
        case anyNumber
        case oneOf([ClosedRange<UInt8>], isNegated: Bool)

        func matches(_ byte: UInt8) -> Bool {
            switch self {
            case .byte(let expected): byte == expected
            case .any: true
            case .anyNumber: false
            case .oneOf(let ranges, let isNegated):
                ranges.contains { $0.contains(byte) } != isNegated
            }
        }
    }

    private let elements: [Element]

    package init(_ pattern: String) {
        var elements: [Element] = []
        var rest = Array(pattern.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "*"):
                if elements.last != .anyNumber { elements.append(.anyNumber) }
            case UInt8(ascii: "?"): elements.append(.any)
            case UInt8(ascii: "["): elements.append(GlobPattern.set(&rest))
            case UInt8(ascii: "\\"): elements.append(.byte(rest.popFirst() ?? byte))
            default: elements.append(.byte(byte))
            }
        }
        self.elements = elements
    }

    /// Reads the set between brackets. A missing `]` ends the set with the pattern.
    private static func set(_ rest: inout ArraySlice<UInt8>) -> Element {
        var ranges: [ClosedRange<UInt8>] = []
        let isNegated = rest.first == UInt8(ascii: "^")
        if isNegated { rest.removeFirst() }
        while let byte = rest.popFirst(), byte != UInt8(ascii: "]") {
            if byte == UInt8(ascii: "\\"), let literal = rest.popFirst() {
                ranges.append(literal...literal)
            } else if rest.first == UInt8(ascii: "-"), rest.count >= 2 {
                rest.removeFirst()
                let end = rest.removeFirst()
                ranges.append(min(byte, end)...max(byte, end))
            } else {
                ranges.append(byte...byte)
            }
        }
        return .oneOf(ranges, isNegated: isNegated)
    }

    package func matches(_ text: String) -> Bool {
        matches(Array(text.utf8))
    }

    package func matches(_ text: [UInt8]) -> Bool {
        var element = 0
        var position = 0
        /// The place to go on from when the last `*` has to take one byte more.
        var retry: (element: Int, position: Int)?
        while position < text.count {
            if element < elements.count, elements[element] == .anyNumber {
                element += 1
                retry = (element, position)
            } else if element < elements.count, elements[element].matches(text[position]) {
                element += 1
                position += 1
            } else if let again = retry {
                element = again.element
                position = again.position + 1
                retry = (element, position)
            } else {
                return false
            }
        }
        return elements[element...].allSatisfy { $0 == .anyNumber }
    }
}
