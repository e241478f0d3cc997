import BroadcasterWire

/// What a server is among others: what it has to be, and what is asked there of the others.
enum RedisPlace: Sendable {
    case alone
    /// Sentinels have named it as the master, and only that is good enough.
    case master(FoundMaster)
    /// A node of a cluster, any of which is good enough.
    case node

    /// The command whose answer tells of the others; nil where there are none.
    var question: [String]? {
        switch self {
        case .alone: nil
        case .master: ["ROLE"]
        case .node: ["CLUSTER", "SLOTS"]
        }
    }
}

/// The master that sentinels have named.
struct FoundMaster: Hashable, Sendable {
    /// The name by which the sentinels know it.
    let service: String
    let endpoint: Endpoint
    /// The sentinels that are known.
    let sentinels: [Endpoint]

    /// The master in words.
    var words: String { "master of \"\(service)\" at \(endpoint)" }
}

/// What the login has found out of the servers beside this one.
struct RedisNeighbours: Sendable {
    /// Servers that are named one by one, of each kind.
    private static let mostNamed = 12

    /// The servers that do as well as this one: the other nodes of a cluster.
    private(set) var others: [Endpoint] = []
    private var replicas: [Endpoint] = []
    private(set) var table: SlotTable?

    /// Takes the answer to a place's question. What cannot be understood is left out.
    mutating func take(_ reply: RESPValue, at place: RedisPlace, from asked: Endpoint) {
        switch place {
        case .alone: break
        case .master: replicas = RedisNeighbours.replicas(reply)
        case .node:
            guard let table = try? SlotTable(reply, from: asked) else { return }
            self.table = table
            others = table.masters + table.replicas.sorted { $0.description < $1.description }
        }
    }

    /// `master`, an offset, and for each replica its address, port and offset.
    private static func replicas(_ reply: RESPValue) -> [Endpoint] {
        guard case .array(let parts) = reply.plain, parts.count >= 3,
            case .array(let replicas) = parts[2].plain
        else { return [] }
        return replicas.compactMap { replica in
            guard case .array(let parts) = replica.plain, parts.count >= 2,
                let host = parts[0].plain.text, let port = parts[1].plain.text
            else { return nil }
            return RedisAddress.endpoint(host: host, port: port)
        }
    }

    /// The place and those beside it in words, behind a version; empty where the server is alone.
    func summary(of place: RedisPlace) -> String {
        switch place {
        case .alone: ""
        case .master(let found):
            ", " + found.words + RedisNeighbours.list("replica", replicas)
                + RedisNeighbours.list("sentinel", found.sentinels)
        case .node: table.map { ", a cluster: \($0.summary)" } ?? ""
        }
    }

    private static func list(_ kind: String, _ servers: [Endpoint]) -> String {
        servers.prefix(mostNamed).map { "; \(kind) \($0)" }.joined()
            + (servers.count > mostNamed ? "; …" : "")
    }
}
