/// LZ4 in its frame ("lz4_Frame_format.md" 1.6 and "lz4_Block_format.md"). Checksums of the frame are passed over: the
/// record batch has its own.
package enum LZ4Decoder {
    static func decode(
        _ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int
    ) throws(RecordFault) -> [UInt8] {
        var place = range.lowerBound
        let end = range.upperBound
        guard try number(4, bytes, &place, end) == 0x184d_2204 else {
            throw RecordFault("no LZ4 frame")
        }
        let flags = try number(1, bytes, &place, end)
        guard flags >> 6 == 1 else { throw RecordFault("an LZ4 frame of another version") }
        // The block's largest size; then, where flags say so, the content's size and a dictionary's number; a checksum.
        place += 1 + (flags & 8 != 0 ? 8 : 0) + (flags & 1 != 0 ? 4 : 0) + 1
        let areIndependent = flags & 0x20 != 0
        var output: [UInt8] = []
        while true {
            let size = try number(4, bytes, &place, end)
            if size == 0 { return output }
            let length = size & 0x7fff_ffff
            guard length <= end - place else { throw RecordFault("a block is cut") }
            if size != length {
                guard length <= limit - output.count else {
                    throw RecordFault("more than \(limit) bytes")
                }
                for index in place..<place + length { output.append(bytes[index]) }
            } else {
                try block(
                    bytes, place..<place + length, limit: limit,
                    from: areIndependent ? output.count : 0, into: &output)
            }
            place += length + (flags & 0x10 != 0 ? 4 : 0)
        }
    }

    /// - Parameter start: the first byte of the output that a copy may begin at.
    private static func block(
        _ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int, from start: Int,
        into output: inout [UInt8]
    ) throws(RecordFault) {
        var place = range.lowerBound
        let end = range.upperBound
        while place < end {
            let token = Int(bytes[place])
            place += 1
            let literals = try length(token >> 4, bytes, &place, end)
            guard literals <= end - place, literals <= limit - output.count else {
                throw RecordFault("literals do not fit, or more than \(limit) bytes")
            }
            for index in place..<place + literals { output.append(bytes[index]) }
            place += literals
            // The last sequence has literals alone.
            if place == end { return }
            let offset = try number(2, bytes, &place, end)
            let count = try length(token & 15, bytes, &place, end) + 4
            guard offset > 0, offset <= output.count - start, count <= limit - output.count else {
                throw RecordFault("a copy does not fit, or more than \(limit) bytes")
            }
            for _ in 0..<count { output.append(output[output.count - offset]) }
        }
    }

    private static func length(
        _ code: Int, _ bytes: Span<UInt8>, _ place: inout Int, _ end: Int
    ) throws(RecordFault) -> Int {
        var length = code
        guard code == 15 else { return length }
        while true {
            let byte = try number(1, bytes, &place, end)
            length += byte
            if byte < 255 { return length }
        }
    }

    private static func number(
        _ size: Int, _ bytes: Span<UInt8>, _ place: inout Int, _ end: Int
    ) throws(RecordFault) -> Int {
        guard size <= end - place else { throw RecordFault("the frame is cut") }
        defer { place += size }
        return (0..<size).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }
}
