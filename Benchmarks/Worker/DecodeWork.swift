import BroadcasterPostgres
import BroadcasterRedis
import BroadcasterWire

/// A session alone, without socket or subscriber: bytes as a server sends them, 64 KiB at a time, become events. A
/// recorded conversation of `Fixtures` precedes them (login, subscription).
struct DecodeWork {
    private let count: Int
    private let size: Int
    private let isRedis: Bool
    private static let readSize = 65_536

    init(_ arguments: WorkerArguments) throws {
        count = try arguments.number("count")
        size = try arguments.number("size")
        isRedis = try arguments.text("backend") == "redis"
    }

    func run() throws {
        let name =
            isRedis ? "redis/subscribe-resp3-7.0.15" : "postgres/listen-15.20"
        var conversation = try RecordedConversation(name) { url, nonce in
            try isRedis
                ? RedisBackend(url, options: .benchmark).makeSession()
                : PostgresBackend(url, options: .benchmark, environment: .empty)
                    .makeSession(nonce: nonce)
        }
        try conversation.play()
        let message = isRedis ? redisMessage : postgresMessage
        let each = max(DecodeWork.readSize / message.count, 1)
        let chunk = Array(repeatElement(message, count: each).joined())
        var decoded = 0
        let meter = Meter()
        while decoded < count { decoded += try conversation.receive(chunk) }
        meter.report(messages: decoded, ["bytes": Double(message.count)])
    }

    private var payload: [UInt8] { Array(repeating: UInt8(ascii: "x"), count: size) }

    private var redisMessage: [UInt8] {
        Array(">3\r\n$7\r\nmessage\r\n$4\r\nchat\r\n$\(size)\r\n".utf8) + payload + [13, 10]
    }

    private var postgresMessage: [UInt8] {
        let body = [0, 0, 9, 4] + Array("chat".utf8) + [0] + payload + [0]
        let length = body.count + 4
        return [UInt8(ascii: "A"), 0, 0, UInt8(length >> 8), UInt8(length & 0xff)] + body
    }
}

extension CommonOptions {
    fileprivate static let benchmark = CommonOptions(
        connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
        maximumMessageSize: 1 << 20)
}
