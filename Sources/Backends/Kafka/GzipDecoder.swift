/// Gzip (RFC 1952) around deflate (RFC 1951). The trailer's checksum is passed over: the record batch has its own.
package enum GzipDecoder {
    static func decode(
        _ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int
    ) throws(RecordFault) -> [UInt8] {
        let start = try body(bytes, range)
        var inflater = Inflater(limit: limit)
        try inflater.inflate(bytes, start..<range.upperBound)
        return inflater.output
    }

    /// The place behind the header.
    private static func body(
        _ bytes: Span<UInt8>, _ range: Range<Int>
    ) throws(RecordFault) -> Int {
        let start = range.lowerBound
        guard range.count >= 18, bytes[start] == 0x1f, bytes[start + 1] == 0x8b,
            bytes[start + 2] == 8
        else { throw RecordFault("no gzip header") }
        let flags = bytes[start + 3]
        var place = start + 10
        if flags & 4 != 0 {
            guard range.upperBound - place >= 2 else { throw RecordFault("the header is cut") }
            place += 2 + Int(bytes[place]) + Int(bytes[place + 1]) << 8
        }
        // A file's name and a comment, each up to a NUL.
        for flag: UInt8 in [8, 16] where flags & flag != 0 {
            while place < range.upperBound, bytes[place] != 0 { place += 1 }
            place += 1
        }
        if flags & 2 != 0 { place += 2 }
        guard place <= range.upperBound else { throw RecordFault("the header is cut") }
        return place
    }
}
