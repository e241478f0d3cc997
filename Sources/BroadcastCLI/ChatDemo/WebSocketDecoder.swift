/// A message or control frame of a WebSocket client.
enum WebSocketEvent: Hashable, Sendable {
    case text([UInt8])
    case binary([UInt8])
    case ping([UInt8])
    case pong([UInt8])
    /// The client wants to end; nil if it gave no code.
    case close(code: UInt16?)
}

/// A violation that ends a WebSocket connection, with its close code (RFC 6455 §7.4.1).
struct WebSocketError: Error, Hashable, Sendable {
    let code: UInt16
    let reason: String

    static func violation(_ reason: String) -> WebSocketError {
        WebSocketError(code: 1002, reason: reason)
    }
}

/// The server's side of RFC 6455's framing: bytes in, events out. A value.
///
/// Frames come in pieces of any size and messages in frames of any number. The decoder refuses a frame by its header,
/// before its payload has come.
struct WebSocketDecoder: Sendable {
    /// The longest message, all its frames together.
    static let messageLimit = 65_536

    private enum Opcode: UInt8 {
        case continuation = 0
        case text = 1
        case binary = 2
        case close = 8
        case ping = 9
        case pong = 10

        var isControl: Bool { rawValue >= 8 }
    }

    private struct Header {
        let opcode: Opcode
        let isFinal: Bool
        let length: Int
        let mask: [UInt8]
        let size: Int
    }

    private var bytes: [UInt8] = []
    /// The message whose frames are still coming.
    private var message: (isText: Bool, payload: [UInt8])?
    private var hasClosed = false

    /// Adds the bytes that have come. Returns the events that they complete, in order.
    mutating func receive(
        _ piece: some Sequence<UInt8>
    ) throws(WebSocketError) -> [WebSocketEvent] {
        bytes += piece
        var events: [WebSocketEvent] = []
        var start = 0
        defer { bytes.removeFirst(start) }
        while !hasClosed, let header = try header(at: start) {
            let payloadStart = start + header.size
            guard bytes.count >= payloadStart + header.length else { break }
            var payload = Array(bytes[payloadStart..<payloadStart + header.length])
            for index in payload.indices { payload[index] ^= header.mask[index & 3] }
            start = payloadStart + header.length
            if let event = try take(header, payload) { events.append(event) }
        }
        return events
    }

    private func header(at start: Int) throws(WebSocketError) -> Header? {
        guard bytes.count >= start + 2 else { return nil }
        let (first, second) = (bytes[start], bytes[start + 1])
        guard first & 0x70 == 0 else { throw .violation("a reserved bit is set") }
        guard let opcode = Opcode(rawValue: first & 0x0f) else {
            throw .violation("an unknown opcode")
        }
        guard second & 0x80 != 0 else { throw .violation("a frame of a client must be masked") }
        let isFinal = first & 0x80 != 0
        if opcode.isControl, !isFinal || second & 0x7f > 125 {
            throw .violation("a control frame is whole and has at most 125 bytes")
        }
        if !opcode.isControl, (opcode == .continuation) != (message != nil) {
            throw .violation("a continuation belongs to a message, and a message has one beginning")
        }
        let lengthSize = second & 0x7f == 126 ? 2 : second & 0x7f == 127 ? 8 : 0
        guard bytes.count >= start + 2 + lengthSize else { return nil }
        let length = try length(second & 0x7f, bytes[start + 2..<start + 2 + lengthSize])
        let before = opcode.isControl ? 0 : message?.payload.count ?? 0
        guard before + length <= WebSocketDecoder.messageLimit else {
            throw WebSocketError(
                code: 1009, reason: "a message has at most \(WebSocketDecoder.messageLimit) bytes")
        }
        let size = 2 + lengthSize + 4
        guard bytes.count >= start + size else { return nil }
        return Header(
            opcode: opcode, isFinal: isFinal, length: length,
            mask: Array(bytes[start + size - 4..<start + size]), size: size)
    }

    private func length(
        _ short: UInt8, _ extended: ArraySlice<UInt8>
    ) throws(WebSocketError) -> Int {
        guard !extended.isEmpty else { return Int(short) }
        let value = extended.reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        guard value <= UInt64(Int.max) else { throw .violation("a length of 64 bits") }
        guard value > (extended.count == 2 ? 125 : 65_535) else {
            throw .violation("a length is written as shortly as possible")
        }
        // The limit is far below; the cap keeps the sum with earlier frames from overflowing.
        return Int(min(value, UInt64(Int32.max)))
    }

    private mutating func take(
        _ header: Header, _ payload: [UInt8]
    ) throws(WebSocketError) -> WebSocketEvent? {
        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close:
            hasClosed = true
            return .close(code: try closeCode(payload))
        case .text, .binary, .continuation:
            var current = message.take() ?? (header.opcode == .text, [])
            current.payload += payload
            guard header.isFinal else {
                message = current
                return nil
            }
            guard current.isText else { return .binary(current.payload) }
            try checkUTF8(current.payload)
            return .text(current.payload)
        }
    }

    private func closeCode(_ payload: [UInt8]) throws(WebSocketError) -> UInt16? {
        if payload.isEmpty { return nil }
        guard payload.count >= 2 else { throw .violation("a close code has two bytes") }
        let code = UInt16(payload[0]) << 8 | UInt16(payload[1])
        // 1004 to 1006 and 1015 are never sent (§7.4.1); 3000 and up belong to applications (§7.4.2).
        let isKnown =
            (1000...1003).contains(code) || (1007...1014).contains(code)
            || (3000...4999).contains(code)
        guard isKnown else { throw .violation("no such close code") }
        try checkUTF8(Array(payload[2...]))
        return code
    }

    private func checkUTF8(_ payload: [UInt8]) throws(WebSocketError) {
        guard String(validating: payload, as: UTF8.self) != nil else {
            throw WebSocketError(code: 1007, reason: "a text is UTF-8")
        }
    }
}
