/// The independent publisher's protocol with a server: by hand, with no line of the library's own protocol code.
protocol PublisherDialect: Sendable {
    /// The first bytes that the publisher sends.
    var greeting: [UInt8] { get }
    /// True once it may publish.
    var isReady: Bool { get }
    func publication(of number: Int, on channel: String) -> [UInt8]
    /// Takes the server's bytes. Returns an answer for each publication, in order: true if it was accepted.
    mutating func answers(in bytes: [UInt8]) -> [Bool]
}

/// RESP2, of which only integers, ids of entries and errors come back.
struct RedisDialect: PublisherDialect {
    let greeting: [UInt8] = []
    let isReady = true
    /// Whether the channels are streams.
    private let keepsHistory: Bool
    private var line: [UInt8] = []

    init(keepsHistory: Bool = false) {
        self.keepsHistory = keepsHistory
    }

    func publication(of number: Int, on channel: String) -> [UInt8] {
        let words =
            keepsHistory
            ? ["XADD", channel, "*", "message", "\(number)"] : ["PUBLISH", channel, "\(number)"]
        return Array(
            words.reduce("*\(words.count)\r\n") { $0 + "$\($1.utf8.count)\r\n\($1)\r\n" }.utf8)
    }

    mutating func answers(in bytes: [UInt8]) -> [Bool] {
        var answers: [Bool] = []
        for byte in bytes {
            line.append(byte)
            guard byte == UInt8(ascii: "\n") else { continue }
            // The length of an id goes before the id.
            if line[0] != UInt8(ascii: "$") { answers.append(line[0] != UInt8(ascii: "-")) }
            line.removeAll(keepingCapacity: true)
        }
        return answers
    }
}

/// Postgres's simple query protocol, logged in by trust: each statement is a transaction of its own, and its
/// ReadyForQuery comes after the commit.
struct PostgresDialect: PublisherDialect {
    /// The table of the history into which it publishes; nil for NOTIFY.
    let table: String?
    private var unread: [UInt8] = []
    private(set) var isReady = false
    private var hasFailed = false

    init(table: String? = nil) {
        self.table = table
    }

    var greeting: [UInt8] {
        let body = [0, 3, 0, 0] + Array("user\0admin\0database\0postgres\0\0".utf8)
        return length(of: body) + body
    }

    func publication(of number: Int, on channel: String) -> [UInt8] {
        let statement =
            table.map { "SELECT \($0)_publish('\(channel)', ARRAY['\(number)'::bytea])" }
            ?? "NOTIFY \"\(channel)\", '\(number)'"
        let body = Array("\(statement)\0".utf8)
        return [UInt8(ascii: "Q")] + length(of: body) + body
    }

    mutating func answers(in bytes: [UInt8]) -> [Bool] {
        unread += bytes
        var answers: [Bool] = []
        var start = 0
        while unread.count >= start + 5 {
            let size = unread[start + 1..<start + 5].reduce(0) { $0 << 8 | Int($1) }
            guard unread.count > start + size else { break }
            if let answer = answer(to: unread[start]) { answers.append(answer) }
            start += 1 + size
        }
        unread.removeFirst(start)
        return answers
    }

    private mutating func answer(to type: UInt8) -> Bool? {
        switch type {
        case UInt8(ascii: "E"): hasFailed = true
        case UInt8(ascii: "Z"):
            defer { (isReady, hasFailed) = (true, false) }
            return isReady ? !hasFailed : nil
        default: break
        }
        return nil
    }

    private func length(of body: [UInt8]) -> [UInt8] {
        let count = UInt32(body.count + 4)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: count >> $0) }
    }
}
