import BroadcasterWire

/// A value of a parameter, in the binary form of its type.
enum BinaryValue {
    static func integer(_ number: Int) -> [UInt8] {
        let bits = UInt64(bitPattern: Int64(number))
        return (0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) }
    }

    /// An array of one dimension (`array_send` in arrayfuncs.c): dimensions, no nulls, the elements' type, count and lower
    /// bound, then each with its length.
    static func array(_ elements: [[UInt8]], type: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendInt32(1)
        bytes.appendInt32(0)
        bytes.appendInt32(type)
        bytes.appendInt32(Int32(truncatingIfNeeded: elements.count))
        bytes.appendInt32(1)
        for element in elements { bytes.appendValue(element) }
        return bytes
    }

    static let byteaType: Int32 = 17
    static let textType: Int32 = 25
    static let bigintType: Int32 = 20

    static func number(_ column: [UInt8]?) throws(ProtocolError) -> Int? {
        guard let column else { return nil }
        guard column.count == 8 else {
            throw ProtocolError(
                reading: "Postgres row", expected: "eight bytes of a bigint",
                found: "\(column.count)")
        }
        return Int(Int64(bitPattern: column.reduce(0) { $0 << 8 | UInt64($1) }))
    }
}

/// A row of a reading.
struct HistoryRow: Sendable {
    /// The state of the channel.
    struct Channel: Hashable, Sendable {
        let epoch: UInt64
        let top: Int
        /// The time of the newest message; 0 where it is gone.
        let topTime: Int
        /// The number of the oldest message; nil where all are gone.
        let oldest: Int?

        func position(_ number: Int, _ time: Int = 0) -> Position {
            Position(epoch: epoch, UInt64(max(number, 0)), UInt64(max(time, 0)))
        }

        /// Behind all there is.
        var tail: Cursor { .after(top == 0 ? .origin : position(top, topTime)) }

        /// Before the oldest message that is kept.
        var start: Cursor { oldest.map { .from(position($0)) } ?? tail }
    }

    /// One less than would do, so that there is a next one to each.
    static let largestNumber = Int.max - 1

    /// A number that a server of ours could have given.
    private static func number(_ number: Int) -> Int {
        min(max(number, 0), largestNumber)
    }

    let channel: Channel
    /// nil in the one row of a channel without messages to show.
    let message: (number: Int, time: Int, payload: [UInt8])?

    init(_ columns: [[UInt8]?]) throws(ProtocolError) {
        guard columns.count == 7, let epoch = try BinaryValue.number(columns[0]),
            let top = try BinaryValue.number(columns[1]),
            let time = try BinaryValue.number(columns[2])
        else {
            throw ProtocolError(
                reading: "Postgres row of a history", expected: "seven columns",
                found: "\(columns.count)")
        }
        channel = Channel(
            epoch: UInt64(bitPattern: Int64(epoch)), top: HistoryRow.number(top), topTime: time,
            oldest: try BinaryValue.number(columns[3]).map(HistoryRow.number))
        if let number = try BinaryValue.number(columns[4]).map(HistoryRow.number),
            let time = try BinaryValue.number(columns[5])
        {
            message = (number, time, columns[6] ?? [])
        } else {
            message = nil
        }
    }
}
