/// Frames as a server sends them: whole and without a mask.
enum WebSocketEncoder {
    static func text(_ text: String) -> [UInt8] { frame(1, Array(text.utf8)) }

    static func ping() -> [UInt8] { frame(9, []) }

    static func pong(_ payload: [UInt8]) -> [UInt8] { frame(10, payload) }

    static func close(_ code: UInt16, _ reason: String = "") -> [UInt8] {
        // A control frame has 125 bytes at most (RFC 6455 §5.5), and its text is whole.
        var reason = String(reason.prefix(123))
        while reason.utf8.count > 123 { reason.removeLast() }
        return frame(8, [UInt8(code >> 8), UInt8(code & 0xff)] + Array(reason.utf8))
    }

    private static func frame(_ opcode: UInt8, _ payload: [UInt8]) -> [UInt8] {
        let length: [UInt8]
        switch payload.count {
        case ..<126: length = [UInt8(payload.count)]
        case ..<65_536: length = [126, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
        default:
            let bits = UInt64(payload.count)
            length = [127] + (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }
        }
        return [0x80 | opcode] + length + payload
    }
}
