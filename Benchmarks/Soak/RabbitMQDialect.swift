/// AMQP 0-9-1 with confirms. All that leads there is sent at once: the server reads it in order.
struct RabbitMQDialect: PublisherDialect {
    private var unread: [UInt8] = []
    private(set) var isReady = false
    /// The tag of the next message to be answered, and the answers that came before theirs.
    private var next = 1
    private var early: [Int: Bool] = [:]

    var greeting: [UInt8] {
        let exchanges = [("broadcaster", "topic"), ("broadcaster.exact", "direct")].map {
            method(1, [0, 40, 0, 10, 0, 0] + short($0.0) + short($0.1) + [2, 0, 0, 0, 0])
        }
        let binding = method(
            1,
            [0, 40, 0, 30, 0, 0] + short("broadcaster.exact") + short("broadcaster") + short("#")
                + [0, 0, 0, 0, 0])
        let login = Array("\0guest\0guest".utf8)
        let startOk: [UInt8] =
            [0, 10, 0, 11, 0, 0, 0, 0] + short("PLAIN") + length(login) + login + short("en_US")
        return Array("AMQP".utf8) + [0, 0, 9, 1] + method(0, startOk)
            + method(0, [0, 10, 0, 31, 7, 255, 0, 2, 0, 0, 0, 0])
            + method(0, [0, 10, 0, 40] + short("/") + [0, 0])
            + method(1, [0, 20, 0, 10, 0]) + exchanges.joined() + binding
            + method(1, [0, 85, 0, 10, 0])
    }

    func publication(of number: Int, on channel: String) -> [UInt8] {
        let body = Array("\(number)".utf8)
        let header: [UInt8] = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(body.count), 0, 0]
        return method(1, [0, 60, 0, 40, 0, 0] + short("broadcaster") + short(channel) + [0])
            + frame(2, 1, header) + frame(3, 1, body)
    }

    mutating func answers(in bytes: [UInt8]) -> [Bool] {
        unread += bytes
        var answers: [Bool] = []
        var start = 0
        while unread.count >= start + 7 {
            let size = number(unread[start + 3..<start + 7])
            guard unread.count >= start + size + 8 else { break }
            if unread[start] == 1 { take(unread[start + 7..<start + 7 + size]) }
            start += size + 8
        }
        unread.removeFirst(start)
        while let answer = early.removeValue(forKey: next) {
            answers.append(answer)
            next += 1
        }
        return answers
    }

    private mutating func take(_ method: ArraySlice<UInt8>) {
        let body = method.dropFirst(4)
        switch Array(method.prefix(4)) {
        case [0, 85, 0, 11]: isReady = true
        case [0, 60, 0, 80], [0, 60, 0, 120]:
            let tag = number(body.prefix(8))
            let isForAll = body.last.map { $0 & 1 == 1 } ?? false
            for one in (isForAll ? min(next, tag) : tag)...tag where one >= next {
                early[one] = early[one] ?? (method.dropFirst(3).first == 80)
            }
        default: break
        }
    }

    private func number(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.reduce(0) { $0 << 8 | Int($1) }
    }

    private func short(_ text: String) -> [UInt8] { [UInt8(text.utf8.count)] + text.utf8 }

    private func length(_ bytes: [UInt8]) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bytes.count >> $0) }
    }

    private func method(_ channel: UInt8, _ payload: [UInt8]) -> [UInt8] {
        frame(1, channel, payload)
    }

    private func frame(_ type: UInt8, _ channel: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [type, 0, channel] + length(payload) + payload + [0xce]
    }
}
