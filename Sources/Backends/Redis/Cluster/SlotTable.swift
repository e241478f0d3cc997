package import BroadcasterWire

/// The master of each slot of a cluster, as CLUSTER SLOTS tells (all versions; its port is the one for TLS where it is
/// asked over TLS).
package struct SlotTable: Sendable {
    /// The masters, in the order of their first slots.
    package private(set) var masters: [Endpoint] = []
    package private(set) var replicas: Set<Endpoint> = []
    private var numbers: [Endpoint: UInt16] = [:]
    /// For each slot the number of its master, from 1; 0 for none.
    private var owners = [UInt16](repeating: 0, count: HashSlot.count)

    package init() {}

    /// Reads an answer. A node whose address cannot be understood is left out, and so are its slots: one node must not
    /// spoil the whole table.
    ///
    /// - Parameter asked: the server that has answered.
    package init(_ reply: RESPValue, from asked: Endpoint) throws(ProtocolError) {
        guard case .array(let ranges) = reply else {
            throw ProtocolError(
                reading: "CLUSTER SLOTS", expected: "an array",
                found: "a value of type \(reply.kind)")
        }
        for range in ranges { add(range.plain, asked) }
    }

    private mutating func add(_ range: RESPValue, _ asked: Endpoint) {
        guard case .array(let parts) = range, parts.count >= 3,
            case .integer(let first) = parts[0].plain, case .integer(let last) = parts[1].plain,
            first >= 0, first <= last, last < HashSlot.count
        else { return }
        if let master = SlotTable.endpoint(parts[2].plain, asked), let number = number(of: master) {
            for slot in Int(first)...Int(last) { owners[slot] = number }
        }
        for part in parts[3...] {
            if let replica = SlotTable.endpoint(part.plain, asked) { replicas.insert(replica) }
        }
    }

    /// The number of a master, an old or a new one. (nil: there is no room for more.)
    private mutating func number(of master: Endpoint) -> UInt16? {
        if let number = numbers[master] { return number }
        guard masters.count < HashSlot.count else { return nil }
        masters.append(master)
        numbers[master] = UInt16(masters.count)
        return UInt16(masters.count)
    }

    /// `[endpoint, port, id, metadata]`. The endpoint is null or empty where the node's address is that of the server asked,
    /// and `?` where a name was to be announced and is not: then the metadata may have an `ip`.
    private static func endpoint(_ node: RESPValue, _ asked: Endpoint) -> Endpoint? {
        guard case .array(let parts) = node, parts.count >= 2,
            case .integer(let port) = parts[1].plain
        else { return nil }
        let name = parts[0].plain.text ?? []
        var host = String(decoding: name, as: UTF8.self)
        if host == "?" {
            guard parts.count >= 4 else { return nil }
            let metadata: [RESPValue]
            switch parts[3].plain {
            case .array(let values), .map(let values): metadata = values
            default: return nil
            }
            let fields = RedisInformation.fields(of: metadata)
            guard let address = fields.first(where: { $0.name == "ip" })?.value else { return nil }
            host = address
        }
        return RedisAddress.endpoint(host: host, port: String(port), asked)
    }

    /// The master of a slot; nil where it has none that is known.
    package func owner(of slot: Int) -> Endpoint? {
        let number = Int(owners[slot])
        return number == 0 ? nil : masters[number - 1]
    }

    /// Takes the word of a node, which goes before the table's.
    package mutating func assign(_ slot: Int, to master: Endpoint) {
        if let number = number(of: master) { owners[slot] = number }
    }

    /// The slots that have a master.
    package var servedCount: Int { owners.count { $0 != 0 } }

    /// The ranges of slots of each master, such as `0-5460`.
    package func ranges(of master: Endpoint) -> [ClosedRange<Int>] {
        numbers[master].map { ranges[Int($0) - 1] } ?? []
    }

    /// The same for all masters, in one pass.
    private var ranges: [[ClosedRange<Int>]] {
        var ranges = [[ClosedRange<Int>]](repeating: [], count: masters.count)
        for slot in owners.indices where owners[slot] > 0 {
            let place = Int(owners[slot]) - 1
            if let last = ranges[place].last, last.upperBound == slot - 1 {
                ranges[place][ranges[place].count - 1] = last.lowerBound...slot
            } else {
                ranges[place].append(slot...slot)
            }
        }
        return ranges
    }

    /// True if the table has a place for this node, be it as a master or as a replica.
    func lists(_ node: Endpoint) -> Bool {
        numbers[node] != nil || replicas.contains(node)
    }

    func isSame(as other: SlotTable) -> Bool {
        owners == other.owners && masters == other.masters && replicas == other.replicas
    }
}

extension SlotTable {
    /// Nodes that are named one by one.
    private static let mostNamed = 12

    /// The nodes with their roles and slots, in words.
    package var summary: String {
        let named = zip(masters, ranges).filter { !$0.1.isEmpty }
        let words = named.prefix(SlotTable.mostNamed).map { master, ranges in
            let shown = ranges.prefix(3).map { "\($0.lowerBound)-\($0.upperBound)" }
            return "master \(master) slots \(shown.joined(separator: ","))"
                + (ranges.count > 3 ? ",…" : "")
        }
        let more = named.count > words.count ? ["\(named.count - words.count) masters more"] : []
        let others = replicas.map(\.description).sorted().prefix(SlotTable.mostNamed)
            .map { "replica \($0)" }
        return "\(servedCount) of \(HashSlot.count) slots served; "
            + (words + more + others).joined(separator: "; ")
    }
}
