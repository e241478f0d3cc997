/// Snappy ("format_description.txt" of google/snappy): a bare block, as librdkafka sends it, or blocks in the frame of
/// snappy-java, as Java's clients do.
package enum SnappyDecoder {
    /// `\x82SNAPPY\0`; a version and the lowest compatible one follow, four bytes each.
    private static let frameMark: [UInt8] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]

    static func decode(
        _ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int
    ) throws(RecordFault) -> [UInt8] {
        var output: [UInt8] = []
        guard range.count >= 16,
            (0..<8).allSatisfy({ bytes[range.lowerBound + $0] == frameMark[$0] })
        else {
            try block(bytes, range, limit: limit, into: &output)
            return output
        }
        var place = range.lowerBound + 16
        while place < range.upperBound {
            guard range.upperBound - place >= 4 else { throw RecordFault("a block is cut") }
            let size = (0..<4).reduce(0) { $0 << 8 | Int(bytes[place + $1]) }
            place += 4
            guard size <= range.upperBound - place else { throw RecordFault("a block is cut") }
            try block(bytes, place..<place + size, limit: limit, into: &output)
            place += size
        }
        return output
    }

    private static func block(
        _ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int, into output: inout [UInt8]
    ) throws(RecordFault) {
        var place = range.lowerBound
        let end = range.upperBound
        let size = try length(bytes, &place, end)
        let start = output.count
        guard size <= limit - start else { throw RecordFault("more than \(limit) bytes") }
        output.reserveCapacity(start + min(size, range.count * 32))
        while place < end {
            let tag = Int(bytes[place])
            place += 1
            if tag & 3 == 0 {
                let count = try literal(tag >> 2, bytes, &place, end)
                guard count <= end - place, count <= size - (output.count - start) else {
                    throw RecordFault("a literal does not fit")
                }
                for index in place..<place + count { output.append(bytes[index]) }
                place += count
            } else {
                let (count, offset) = try copy(tag, bytes, &place, end)
                guard offset > 0, offset <= output.count - start,
                    count <= size - (output.count - start)
                else { throw RecordFault("a copy does not fit") }
                for _ in 0..<count { output.append(output[output.count - offset]) }
            }
        }
        guard output.count - start == size else {
            throw RecordFault("\(output.count - start) bytes of \(size)")
        }
    }

    /// The length of what comes out, in base 128.
    private static func length(
        _ bytes: Span<UInt8>, _ place: inout Int, _ end: Int
    ) throws(RecordFault) -> Int {
        var size = 0
        for shift in stride(from: 0, to: 35, by: 7) {
            guard place < end else { break }
            let byte = Int(bytes[place])
            place += 1
            size |= (byte & 0x7f) << shift
            if byte < 0x80 { return size }
        }
        throw RecordFault("no length")
    }

    private static func literal(
        _ code: Int, _ bytes: Span<UInt8>, _ place: inout Int, _ end: Int
    ) throws(RecordFault) -> Int {
        if code < 60 { return code + 1 }
        return try number(code - 59, bytes, &place, end) + 1
    }

    private static func copy(
        _ tag: Int, _ bytes: Span<UInt8>, _ place: inout Int, _ end: Int
    ) throws(RecordFault) -> (count: Int, offset: Int) {
        if tag & 3 == 1 {
            let low = try number(1, bytes, &place, end)
            return (4 + tag >> 2 & 7, (tag >> 5) << 8 | low)
        }
        let offset = try number(tag & 3 == 2 ? 2 : 4, bytes, &place, end)
        return (1 + tag >> 2, offset)
    }

    private static func number(
        _ size: Int, _ bytes: Span<UInt8>, _ place: inout Int, _ end: Int
    ) throws(RecordFault) -> Int {
        guard size <= end - place else { throw RecordFault("the block is cut") }
        defer { place += size }
        return (0..<size).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
    }
}
