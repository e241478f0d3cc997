package import BroadcasterWire

/// Reads RESP2 and RESP3 values from bytes that come in pieces of any size.
///
/// It reads no piece twice: open aggregates wait on a stack of its own (a peer's nesting cannot exhaust the
/// thread's), a string waits for its length alone, and the search for the end of a line goes on where it stopped. It
/// checks every declared length and count before it reserves memory, and reserves no more than has come.
package struct RESPDecoder: Sendable {
    package struct Limits: Hashable, Sendable {
        /// The longest string, in bytes. redis.conf's proto-max-bulk-len is 512 MiB by default.
        package var stringLength: Int
        /// The longest line without a length of its own: a simple string, an error, a number.
        package var lineLength = 65_536
        /// The most elements in one value, those of its parts included.
        package var elements = 65_536
        /// The most bytes in one value, those of its parts together: a message and its channel's name.
        package var valueSize: Int
        /// The deepest nesting of aggregates. hiredis allows 1,024; PUB/SUB needs 2.
        package var depth = 64

        package init(stringLength: Int = 64 << 20) {
            self.stringLength = stringLength
            valueSize = stringLength + (1 << 20)
        }
    }

    /// An aggregate whose elements are still coming.
    private struct Frame {
        enum Kind { case array, set, map, push, attribute, string, value(attributes: [RESPValue]) }

        let kind: Kind
        /// The elements still to come; nil in a streamed aggregate, which `.` ends.
        var remaining: Int?
        var items: [RESPValue] = []
    }

    /// A string whose length has been read.
    private struct OpenString {
        enum Kind { case bulk, error, verbatim, chunk }

        let kind: Kind
        let length: Int
    }

    /// The result of reading an element.
    private enum Step {
        case value(RESPValue)
        /// The element opened a frame or string: go on.
        case opened
        case needsMore
    }

    private let limits: Limits
    private var stack: [Frame] = []
    private var string: OpenString?
    /// The number of bytes of an unfinished line that were searched for its end.
    private var searched = 0
    private var elements = 0
    /// The bytes of the strings and lines of the open value together.
    private var size = 0
    /// The length of the streamed string so far.
    private var streamedLength = 0

    package init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// True between two values.
    package var isAtBoundary: Bool { stack.isEmpty && string == nil && searched == 0 }

    /// The next whole value, or nil where more bytes are needed.
    package mutating func next(
        _ buffer: inout ReceiveBuffer
    ) throws(ProtocolError) -> RESPValue? {
        while true {
            var whole: RESPValue?
            switch try readElement(&buffer) {
            case .needsMore: return nil
            case .opened: break
            case .value(let value): whole = add(value)
            }
            if let whole = whole ?? closeFullFrames() {
                elements = 0
                size = 0
                return whole
            }
        }
    }

    private mutating func readElement(_ buffer: inout ReceiveBuffer) throws(ProtocolError) -> Step {
        if let string { return try finish(string, &buffer) }
        return try readLine(&buffer)
    }

    // MARK: Frames

    /// Adds a finished value to the open frame. Returns it if it is a top-level value.
    private mutating func add(_ value: RESPValue) -> RESPValue? {
        guard !stack.isEmpty else { return value }
        stack[stack.count - 1].items.append(value)
        if let remaining = stack[stack.count - 1].remaining {
            stack[stack.count - 1].remaining = remaining - 1
        }
        return nil
    }

    private mutating func closeFullFrames() -> RESPValue? {
        while let frame = stack.last, frame.remaining == 0 {
            stack.removeLast()
            if let whole = close(frame) { return whole }
        }
        return nil
    }

    private mutating func close(_ frame: Frame) -> RESPValue? {
        switch frame.kind {
        case .array: return add(.array(frame.items))
        case .set: return add(.set(frame.items))
        case .map: return add(.map(frame.items))
        case .push: return add(.push(frame.items))
        case .string: return add(.bulkString(frame.items.flatMap { $0.text ?? [] }))
        case .value(let attributes):
            guard let value = frame.items.first else { return nil }
            return add(.attributed(attributes, value))
        case .attribute:
            // The value that the attribute describes comes next and takes its place.
            stack.append(Frame(kind: .value(attributes: frame.items), remaining: 1))
            return nil
        }
    }

    private mutating func open(
        _ kind: Frame.Kind, count: Int?, _ line: Line
    ) throws(ProtocolError) -> Step {
        guard stack.count < limits.depth else {
            throw line.error(
                expected: "at most \(limits.depth) levels of nesting", found: "one more")
        }
        stack.append(Frame(kind: kind, remaining: count))
        return .opened
    }

    // MARK: Lines

    private mutating func readLine(_ buffer: inout ReceiveBuffer) throws(ProtocolError) -> Step {
        guard let end = try findLineEnd(buffer) else { return .needsMore }
        let line = Line(
            type: buffer.bytes[buffer.start], content: Array(buffer.bytes[buffer.start + 1..<end]),
            offset: buffer.streamOffset(of: buffer.start))
        buffer.consume(upTo: end + 2)
        elements += 1
        guard elements <= limits.elements else {
            throw line.error(expected: "at most \(limits.elements) elements", found: "one more")
        }
        try grow(by: line.content.count, line)
        return try read(line)
    }

    private mutating func grow(by count: Int, _ line: Line) throws(ProtocolError) {
        size += count
        guard size <= limits.valueSize else {
            throw line.error(expected: "at most \(limits.valueSize) bytes in a value")
        }
    }

    /// The index of the CR that ends the line at the buffer's start.
    private mutating func findLineEnd(_ buffer: ReceiveBuffer) throws(ProtocolError) -> Int? {
        let bytes = buffer.bytes.span
        var index = buffer.start + searched
        // Precedes the search: a peer that does not speak RESP may never send an end of line.
        if searched == 0, index < bytes.count, !RESPDecoder.types.contains(bytes[index]) {
            throw ProtocolError(
                reading: "RESP value", expected: "a type byte, one of +-:$*_,#!=(%~>|",
                found: ProtocolError.show(bytes[index]), at: buffer.streamOffset(of: index))
        }
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\r") {
                guard index + 1 < bytes.count else { break }
                if bytes[index + 1] != UInt8(ascii: "\n") {
                    throw lineError(buffer, "LF after CR", bytes[index + 1], index + 1)
                }
                searched = 0
                return index
            }
            if byte == UInt8(ascii: "\n") { throw lineError(buffer, "CR before LF", byte, index) }
            index += 1
            if index - buffer.start > limits.lineLength {
                throw ProtocolError(
                    reading: "RESP line", expected: "CRLF within \(limits.lineLength) bytes",
                    found: "none", at: buffer.streamOffset(of: buffer.start))
            }
        }
        searched = index - buffer.start
        return nil
    }

    private static let types = Array("+-:$*_,#!=(%~>|;.".utf8)

    private func lineError(
        _ buffer: ReceiveBuffer, _ expected: String, _ byte: UInt8, _ index: Int
    ) -> ProtocolError {
        ProtocolError(
            reading: "RESP line", expected: expected, found: ProtocolError.show(byte),
            at: buffer.streamOffset(of: index))
    }

    /// One line of RESP: its type byte and what follows it, without CRLF.
    private struct Line {
        let type: UInt8
        let content: [UInt8]
        let offset: Int

        var isStreamed: Bool { content == [UInt8(ascii: "?")] }

        func error(expected: String, found: String? = nil) -> ProtocolError {
            let shown = content.prefix(24).map { ProtocolError.show($0) }.joined()
            return ProtocolError(
                reading: "RESP value of type \(ProtocolError.show(type))", expected: expected,
                found: found ?? (shown.isEmpty ? "nothing" : shown), at: offset)
        }
    }

    private mutating func read(_ line: Line) throws(ProtocolError) -> Step {
        if line.type != UInt8(ascii: ";"), line.type != UInt8(ascii: ".") {
            try refuseInStreamedString(line)
        }
        switch line.type {
        case UInt8(ascii: "+"): return .value(.simpleString(line.content))
        case UInt8(ascii: "-"): return .value(.error(line.content))
        case UInt8(ascii: ":"):
            guard let number = RESPNumber.integer(line.content) else {
                throw line.error(expected: "a number of 64 bits")
            }
            return .value(.integer(number))
        case UInt8(ascii: "_"):
            guard line.content.isEmpty else { throw line.error(expected: "CRLF after _") }
            return .value(.null)
        case UInt8(ascii: "#"):
            switch line.content {
            case [UInt8(ascii: "t")]: return .value(.boolean(true))
            case [UInt8(ascii: "f")]: return .value(.boolean(false))
            default: throw line.error(expected: "t or f")
            }
        case UInt8(ascii: ","):
            guard let number = RESPNumber.double(line.content) else {
                throw line.error(expected: "a floating-point number")
            }
            return .value(.double(number))
        case UInt8(ascii: "("):
            guard RESPNumber.isBig(line.content) else {
                throw line.error(expected: "a sign and digits")
            }
            return .value(.bigNumber(line.content))
        default: return try readOpening(line)
        }
    }

    private mutating func readOpening(_ line: Line) throws(ProtocolError) -> Step {
        switch line.type {
        case UInt8(ascii: "$"):
            guard line.isStreamed else { return try openString(.bulk, line) }
            streamedLength = 0
            return try open(.string, count: nil, line)
        case UInt8(ascii: "!"): return try openString(.error, line)
        case UInt8(ascii: "="): return try openString(.verbatim, line)
        case UInt8(ascii: ";"): return try openString(.chunk, line)
        case UInt8(ascii: "*"): return try openAggregate(.array, line)
        case UInt8(ascii: "~"): return try openAggregate(.set, line)
        case UInt8(ascii: "%"): return try openAggregate(.map, line, perEntry: 2)
        case UInt8(ascii: "|"): return try openAggregate(.attribute, line, perEntry: 2)
        case UInt8(ascii: ">"): return try openAggregate(.push, line)
        case UInt8(ascii: "."): return try endStream(line)
        default: throw line.error(expected: "a known type")
        }
    }

    private mutating func openAggregate(
        _ kind: Frame.Kind, _ line: Line, perEntry: Int = 1
    ) throws(ProtocolError) -> Step {
        if line.isStreamed { return try open(kind, count: nil, line) }
        if case .array = kind, line.content == RESPDecoder.nullLength { return .value(.null) }
        let limit = limits.elements / perEntry
        guard let count = RESPNumber.integer(line.content), (0...Int64(limit)).contains(count)
        else {
            throw line.error(expected: "a count from 0 to \(limit)")
        }
        return try open(kind, count: Int(count) * perEntry, line)
    }

    private mutating func endStream(_ line: Line) throws(ProtocolError) -> Step {
        guard let frame = stack.last, frame.remaining == nil, line.content.isEmpty else {
            throw line.error(expected: "a streamed aggregate to end")
        }
        switch frame.kind {
        case .string: throw line.error(expected: "the end of a streamed string, ;0")
        case .map, .attribute:
            guard frame.items.count.isMultiple(of: 2) else {
                throw line.error(expected: "a value for the last key")
            }
        default: break
        }
        stack[stack.count - 1].remaining = 0
        return .opened
    }

    // MARK: Strings

    private static let nullLength = Array("-1".utf8)

    private mutating func openString(
        _ kind: OpenString.Kind, _ line: Line
    ) throws(ProtocolError) -> Step {
        if case .chunk = kind {
            guard case .string = stack.last?.kind else {
                throw line.error(expected: "a streamed string for this piece to belong to")
            }
        }
        if case .bulk = kind, line.content == RESPDecoder.nullLength { return .value(.null) }
        guard let length = RESPNumber.integer(line.content),
            (0...Int64(limits.stringLength)).contains(length)
        else {
            throw line.error(expected: "a length from 0 to \(limits.stringLength)")
        }
        if case .chunk = kind {
            if length == 0 {
                stack[stack.count - 1].remaining = 0
                return .opened
            }
            streamedLength += Int(length)
            guard streamedLength <= limits.stringLength else {
                throw line.error(expected: "pieces of at most \(limits.stringLength) bytes in all")
            }
        }
        try grow(by: Int(length), line)
        string = OpenString(kind: kind, length: Int(length))
        return .opened
    }

    private func refuseInStreamedString(_ line: Line) throws(ProtocolError) {
        if case .string = stack.last?.kind {
            throw line.error(expected: "a piece of a streamed string")
        }
    }

    private mutating func finish(
        _ open: OpenString, _ buffer: inout ReceiveBuffer
    ) throws(ProtocolError) -> Step {
        guard buffer.count >= open.length + 2 else {
            buffer.expect(open.length + 2)
            return .needsMore
        }
        let start = buffer.start
        let end = start + open.length
        let tail = (buffer.bytes[end], buffer.bytes[end + 1])
        guard tail == (UInt8(ascii: "\r"), UInt8(ascii: "\n")) else {
            let wrong = tail.0 == UInt8(ascii: "\r") ? end + 1 : end
            throw ProtocolError(
                reading: "RESP bulk string", expected: "CRLF after \(open.length) bytes",
                found: ProtocolError.show(buffer.bytes[wrong]), at: buffer.streamOffset(of: wrong))
        }
        let bytes = Array(buffer.bytes[start..<end])
        let offset = buffer.streamOffset(of: start)
        buffer.consume(upTo: end + 2)
        string = nil
        switch open.kind {
        case .bulk, .chunk: return .value(.bulkString(bytes))
        case .error: return .value(.blobError(bytes))
        case .verbatim:
            guard bytes.count >= 4, bytes[3] == UInt8(ascii: ":") else {
                throw ProtocolError(
                    reading: "RESP verbatim string", expected: "three bytes of format and a colon",
                    found: "\(bytes.count) bytes without them", at: offset)
            }
            return .value(.verbatimString(format: Array(bytes[..<3]), Array(bytes[4...])))
        }
    }
}
