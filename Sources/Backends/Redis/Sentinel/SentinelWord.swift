import BroadcasterWire

/// What sentinels answer and announce, and the commands for it. RESP2, which all of them speak.
enum SentinelWord {
    /// The channel on which a sentinel announces that a master has been replaced.
    static let announcements = "+switch-master"

    static func askForMaster(_ service: String) -> [String] {
        ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service]
    }

    static func askForSentinels(_ service: String) -> [String] {
        ["SENTINEL", "SENTINELS", service]
    }

    /// The master in an answer to `askForMaster`; nil where the answer names none.
    static func master(_ reply: RESPValue) -> Endpoint? {
        guard case .array(let items) = reply, items.count == 2,
            let host = items[0].plain.text, let port = items[1].plain.text
        else { return nil }
        return RedisAddress.endpoint(host: host, port: port)
    }

    /// The other sentinels, in an answer to `askForSentinels`: for each one its fields, names and values alternating.
    static func sentinels(_ reply: RESPValue) -> [Endpoint] {
        guard case .array(let items) = reply else { return [] }
        return items.compactMap { item in
            switch item.plain {
            case .array(let fields), .map(let fields): endpoint(fields)
            default: nil
            }
        }
    }

    private static func endpoint(_ values: [RESPValue]) -> Endpoint? {
        let fields = RedisInformation.fields(of: values)
        guard let host = fields.first(where: { $0.name == "ip" })?.value,
            let port = fields.first(where: { $0.name == "port" })?.value
        else { return nil }
        return RedisAddress.endpoint(host: host.utf8, port: port.utf8)
    }

    /// The new master in an announcement: `name old-ip old-port new-ip new-port`. nil where it is about another service
    /// (all masters share the channel), or malformed.
    static func switched(_ announcement: [UInt8], _ service: String) -> Endpoint? {
        let words = announcement.split(separator: UInt8(ascii: " "))
        guard words.count == 5, words[0].elementsEqual(service.utf8) else { return nil }
        return RedisAddress.endpoint(host: words[3], port: words[4])
    }

    /// The text of an announcement, where the value is one.
    static func announcement(_ value: RESPValue) -> [UInt8]? {
        let items: [RESPValue]
        switch value {
        case .array(let values), .push(let values): items = values
        default: return nil
        }
        guard items.count == 3, items[0].plain.text == Array("message".utf8),
            items[1].plain.text == Array(announcements.utf8)
        else { return nil }
        return items[2].plain.text
    }
}
