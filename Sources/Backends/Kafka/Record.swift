/// One record of a batch of format 2. Its key and headers are passed over: a message is its value.
struct Record: Hashable, Sendable {
    let offsetDelta: Int
    let timestampDelta: Int64
    /// The place of the value; nil for null, which a compacted topic has for what was deleted.
    let value: Range<Int>?
    /// The place of the key; nil for null.
    let key: Range<Int>?

    /// Reads the record at `place`, and moves it behind the record.
    init(_ bytes: Span<UInt8>, at place: inout Int, before end: Int) throws(RecordFault) {
        guard let length = Varint.int32(bytes, at: &place, before: end), length >= 0,
            length <= end - place
        else { throw RecordFault("a record's length does not fit its batch") }
        let end = place + length
        // The attributes, which have no meaning yet.
        place += 1
        guard let time = Varint.int64(bytes, at: &place, before: end),
            let delta = Varint.int32(bytes, at: &place, before: end), delta >= 0
        else { throw RecordFault("a record's times or offset cannot be read") }
        timestampDelta = time
        offsetDelta = delta
        key = try Record.bytes(bytes, at: &place, before: end, "key")
        value = try Record.bytes(bytes, at: &place, before: end, "value")
        guard let headers = Varint.int32(bytes, at: &place, before: end), headers >= 0 else {
            throw RecordFault("a record's headers cannot be counted")
        }
        // Most have none; the others are left unread, since the record's length is known.
        if headers == 0, place != end {
            throw RecordFault("a record has \(end - place) bytes more than it should")
        }
        place = end
    }

    private static func bytes(
        _ bytes: Span<UInt8>, at place: inout Int, before end: Int, _ what: String
    ) throws(RecordFault) -> Range<Int>? {
        guard let length = Varint.int32(bytes, at: &place, before: end), length >= -1,
            length <= end - place
        else { throw RecordFault("the length of a record's \(what) does not fit it") }
        if length == -1 { return nil }
        defer { place += length }
        return place..<place + length
    }
}
