import BroadcasterWire

/// A field table: names and values, in their order.
package struct AMQPTable: Hashable, Sendable {
    package struct Entry: Hashable, Sendable {
        package let name: String
        package let value: AMQPValue
    }

    package private(set) var entries: [Entry] = []

    package init(_ entries: KeyValuePairs<String, AMQPValue> = [:]) {
        self.entries = entries.map { Entry(name: $0.key, value: $0.value) }
    }

    /// The levels of tables and arrays in each other. What RabbitMQ itself writes (`x-death`) has three.
    static let depthLimit = 32

    init(_ reader: inout AMQPReader, depth: Int) throws(ProtocolError) {
        var inner = try reader.nested("AMQP field table")
        guard depth < AMQPTable.depthLimit else {
            throw inner.error(
                expected: "at most \(AMQPTable.depthLimit) levels", found: "more")
        }
        while inner.remaining > 0 {
            let name = try inner.shortText()
            entries.append(
                Entry(name: name, value: try AMQPValue(&inner, depth: depth + 1)))
        }
    }

    package subscript(name: String) -> AMQPValue? {
        entries.first { $0.name == name }?.value
    }

    mutating func add(_ name: String, _ value: AMQPValue) {
        entries.append(Entry(name: name, value: value))
    }

    package func append(to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.appendUInt32(0)
        for entry in entries {
            bytes.appendShort(entry.name)
            entry.value.append(to: &bytes)
        }
        bytes.patchLength(at: start)
    }
}
