import BroadcasterWire

extension Rejection {
    /// What an error of Redis means, by its first word: the rest differs between versions.
    static func kind(of message: String) -> Kind {
        switch message.prefix(while: { $0 != " " }) {
        case "WRONGPASS", "NOAUTH": .authentication
        case "NOPERM": .permission
        case "LOADING", "BUSY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN": .temporary
        case "ERR" where message.containsBytes("max number of clients"): .temporary
        case "ERR" where message.containsBytes("invalid password"): .authentication
        default: .permanent
        }
    }

    /// Far more than is shown of an error; it may have 64 MiB.
    static let readLimit = 4096

    init(redis text: [UInt8]) {
        let message = String(decoding: text.prefix(Rejection.readLimit), as: UTF8.self)
        self.init(kind: Rejection.kind(of: message), message: message)
    }
}
