import BroadcasterWire

@testable import BroadcasterPostgres

/// Large and binary messages through Postgres: the library's own come back, and no client's parts do harm.
enum PartsFuzz {
    static func run(_ bytes: [UInt8]) {
        roundTrip(bytes)
        // Long enough for several parts.
        roundTrip(Array(repeatElement(bytes, count: 9000 / (bytes.count + 1)).joined()) + bytes)
        receive(bytes.split(separator: UInt8(ascii: "\n")))
    }

    private static func roundTrip(_ bytes: [UInt8]) {
        var assembler = PartAssembler(limit: 1 << 20)
        let texts = PayloadCodec.encode(.bytes(bytes), id: 7)
        var result: [UInt8]?
        for text in texts {
            require(text.count <= PayloadCodec.longest, "a text that pg_notify does not take")
            require(String(validating: text, as: UTF8.self) != nil, "a part that is no text")
            result = message(text, &assembler)
        }
        require(result == bytes, "a message did not come back")
    }

    private static func message(_ text: [UInt8], _ assembler: inout PartAssembler) -> [UInt8]? {
        guard text.starts(with: PayloadCodec.mark) else { return text }
        switch PayloadCodec.decode(text) {
        case .whole(let bytes): return bytes
        case .unknown: return nil
        case .part(let id, let number, let count, let piece):
            let outcome = assembler.add(
                process: 1, channel: [1], id: id, number: number, count: count, piece: piece)
            if case .message(let bytes) = outcome { return bytes }
            return nil
        }
    }

    private static func receive(_ texts: [ArraySlice<UInt8>]) {
        var assembler = PartAssembler(limit: 64)
        for text in texts {
            let marked = PayloadCodec.mark + text
            require((message(marked, &assembler)?.count ?? 0) <= 1200, "longer than the limit")
        }
    }

    static let seeds = [
        "p:1:1/2:ab\np:1:2/2:c", "b:AP8=\nt:broadcaster:1:", "p:1:1/2:ab\np:2:1/1:x\np:1:2/2:c",
        "p:18446744073709551615:1/9223372036854775807:x",
    ].map { Array($0.utf8) }
}
