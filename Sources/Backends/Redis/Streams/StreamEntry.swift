import BroadcasterWire

/// An entry of a stream, as XRANGE and its kin answer it: its id, and the message in it.
struct StreamEntry: Sendable {
    let position: Position
    let payload: [UInt8]

    /// The field that Python's `broadcaster` writes the message to, and reads it from. Other fields are allowed, and ignored.
    static let field = "message"

    private init(_ position: Position, _ payload: [UInt8]) {
        self.position = position
        self.payload = payload
    }

    /// Reads the entries of one stream.
    static func list(_ reply: RESPValue) throws(ProtocolError) -> [StreamEntry] {
        switch reply.plain {
        case .array(let items):
            var entries: [StreamEntry] = []
            entries.reserveCapacity(items.count)
            for item in items { entries.append(try entry(item)) }
            return entries
        case .null: return []
        case let other: throw fault(expected: "an array of entries", other)
        }
    }

    private static func entry(_ reply: RESPValue) throws(ProtocolError) -> StreamEntry {
        guard case .array(let parts) = reply.plain, parts.count == 2,
            let position = parts[0].plain.text.flatMap(Position.init(streamID:))
        else { throw fault(expected: "an id and fields", reply) }
        switch parts[1].plain {
        case .array(let fields): return StreamEntry(position, message(in: fields))
        case .null: return StreamEntry(position, [])
        case let other: throw fault(expected: "an array of fields", other)
        }
    }

    /// The first field of that name counts; an entry without one is an empty message, as in Python.
    private static func message(in fields: [RESPValue]) -> [UInt8] {
        for index in stride(from: 0, to: fields.count - 1, by: 2)
        where fields[index].plain.text.map({ $0.elementsEqual(field.utf8) }) == true {
            return fields[index + 1].plain.text ?? []
        }
        return []
    }

    private static func fault(expected: String, _ found: RESPValue) -> ProtocolError {
        ProtocolError(
            reading: "entries of a stream", expected: expected,
            found: "a value of type \(found.kind)")
    }
}

extension Position {
    /// The position of the entry with this id, `milliseconds-sequence`.
    init?(streamID text: [UInt8]) {
        let parts = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count == 2, let time = Position.number(parts[0]),
            let sequence = Position.number(parts[1])
        else { return nil }
        self.init(time, sequence)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
        digits.allSatisfy { (0x30...0x39).contains($0) }
            ? UInt64(String(decoding: digits, as: UTF8.self)) : nil
    }

    /// The id as commands take it.
    var streamID: String {
        pair.map { "\($0.major)-\($0.minor)" } ?? "0-0"
    }
}

/// The answer to XINFO STREAM, as far as it tells what has become of a position.
struct StreamInformation: Sendable {
    private(set) var length = 0
    private(set) var lastGenerated = Position.origin
    private(set) var first: Position?
    /// Redis 7.0.
    private(set) var lastDeleted: Position?
    private(set) var added: Int?

    init(_ reply: RESPValue) throws(ProtocolError) {
        let fields: [RESPValue]
        switch reply.plain {
        case .map(let items), .array(let items): fields = items
        case let other:
            throw ProtocolError(
                reading: "Redis XINFO STREAM", expected: "a map",
                found: "a value of type \(other.kind)")
        }
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[index].plain.text else { continue }
            learn(String(decoding: name.prefix(64), as: UTF8.self), fields[index + 1].plain)
        }
        // A stream from which nothing was ever read or written.
        if lastGenerated == Position(0, 0) { lastGenerated = .origin }
    }

    private mutating func learn(_ name: String, _ value: RESPValue) {
        switch (name, value) {
        case ("length", .integer(let count)): length = Int(count)
        case ("entries-added", .integer(let count)): added = Int(count)
        case ("last-generated-id", _):
            if let id = value.text.flatMap(Position.init(streamID:)) { lastGenerated = id }
        case ("max-deleted-entry-id", _): lastDeleted = value.text.flatMap(Position.init(streamID:))
        case ("first-entry", .array(let parts)):
            first = parts.first?.plain.text.flatMap(Position.init(streamID:))
        default: break
        }
    }
}
