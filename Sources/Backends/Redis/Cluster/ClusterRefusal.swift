package import BroadcasterWire

/// An error by which a node of a cluster says that another one is to be asked, or the same one later.
package enum ClusterRefusal: Hashable, Sendable {
    /// The slot belongs to another node for good.
    case moved(slot: Int, to: Endpoint)
    /// The slot is on its way; this request alone is to go there, behind ASKING.
    case ask(to: Endpoint)
    /// The same node, in a moment.
    case later
    /// The slot has no node, or the cluster is down.
    case down
    case other

    /// - Parameter asked: the server that has answered. An empty host is its own.
    package init(_ text: [UInt8], from asked: Endpoint) {
        let words = String(decoding: text.prefix(512), as: UTF8.self).split(separator: " ")
        switch words.first {
        case "MOVED":
            guard let slot = ClusterRefusal.slot(words), words.count == 3,
                let endpoint = ClusterRefusal.endpoint(words[2], asked)
            else {
                // It has moved, and where to is not said: the table will tell.
                self = .down
                return
            }
            self = .moved(slot: slot, to: endpoint)
        case "ASK":
            let endpoint = words.count == 3 ? ClusterRefusal.endpoint(words[2], asked) : nil
            self = endpoint.map { .ask(to: $0) } ?? .later
        case "TRYAGAIN": self = .later
        case "CLUSTERDOWN", "LOADING", "MASTERDOWN": self = .down
        default: self = .other
        }
    }

    /// True if a server refuses CLUSTER since it is a server alone.
    static func isNoCluster(_ message: String) -> Bool {
        message.containsBytes("cluster support disabled")
    }

    static let noCluster = Rejection(
        kind: .unsuitable, message: "this server is no node of a cluster; write redis://")

    private static func slot(_ words: [Substring]) -> Int? {
        guard words.count > 1, let slot = URLOptions.integer(words[1]), slot < HashSlot.count else {
            return nil
        }
        return slot
    }

    /// From the last colon, since IPv6 addresses come without brackets.
    private static func endpoint(_ text: Substring, _ asked: Endpoint) -> Endpoint? {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else { return nil }
        let host = String(text[..<colon])
        guard host != "?" else { return nil }
        return RedisAddress.endpoint(
            host: host, port: String(text[text.utf8.index(after: colon)...]), asked)
    }
}
