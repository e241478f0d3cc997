import Broadcaster
import BroadcasterAuthentication
import BroadcasterChatDemo
import Glibc
import Synchronization

/// Writes events as text or JSON.
final class EventPrinter: Sendable {
    private let format: Format
    private let topics: [String]
    private let isPattern: Bool
    private let pending = Mutex<[UInt8]>([])

    init(format: Format, topics: [String], isPattern: Bool) {
        self.format = format
        self.topics = topics
        self.isPattern = isPattern
    }

    func subscribed(_ subscription: Subscription) {
        for topic in topics {
            switch format {
            case .text: Console.error("subscribed to \(topic)")
            case .json:
                var line = JSONLine(type: "subscribed")
                line.add(isPattern ? "pattern" : "channel", topic)
                if let start = subscription.startPositions[topic] {
                    line.add("position", start.description)
                }
                append(line)
            }
        }
        flush()
    }

    func message(_ message: Message) {
        switch format {
        case .text:
            var bytes: [UInt8] = []
            if isPattern || topics.count > 1 {
                bytes += message.channelBytes + [UInt8(ascii: "\t")]
            }
            append(bytes + message.bytes + [UInt8(ascii: "\n")])
        case .json:
            var line = JSONLine(type: "message")
            if let channel = message.validChannel {
                line.add("channel", channel)
            } else {
                line.add("channel_base64", Base64.encode(message.channelBytes))
            }
            if let pattern = message.pattern { line.add("pattern", pattern) }
            if let text = message.validText {
                line.add("text", text)
            } else {
                line.add("base64", Base64.encode(message.bytes))
            }
            if let position = message.position { line.add("position", position.description) }
            append(line)
        }
    }

    func gap(_ gap: Gap) {
        var line = JSONLine(type: "gap")
        if topics.count == 1 {
            line.add(isPattern ? "pattern" : "channel", topics[0])
        } else {
            line.add(isPattern ? "patterns" : "channels", topics)
        }
        switch gap.reason {
        case .reconnected(let duration, let description):
            line.add("reason", "reconnected")
            line.add("seconds", duration)
            line.add("lost", gap.lost)
            if format == .text {
                Console.error(
                    "gap: reconnected after \(duration.inSeconds) s (\(description));"
                        + " messages may be missing")
            }
        case .incomplete(let description):
            line.add("reason", "incomplete")
            line.add("lost", gap.lost)
            if format == .text { Console.error("gap: \(description)") }
        case .overflow:
            line.add("reason", "overflow")
            line.add("lost", gap.lost)
            if format == .text {
                Console.error("gap: \(gap.lost ?? 0) messages fell, the buffer was full")
            }
        case .trimmed:
            line.add("reason", "trimmed")
            line.add("lost", gap.lost)
            if format == .text {
                let count = gap.lost.map { "\($0) messages" } ?? "messages"
                Console.error("gap: the server has dropped \(count) before they were read")
            }
        case .reset:
            line.add("reason", "reset")
            line.add("lost", gap.lost)
            if format == .text {
                Console.error("gap: the channel's history is another one; messages may be missing")
            }
        }
        if format == .json { append(line) }
    }

    /// Tells of lost and recovered connections.
    func watch(_ broadcast: Broadcast) async {
        var wasDown = false
        for await status in broadcast.statuses {
            var line = JSONLine(type: "status")
            switch status {
            case .connecting, .closed: continue
            case .ready where !wasDown: continue
            case .ready(let server):
                wasDown = false
                line.add("status", "ready")
                line.add("server", server.description)
                if format == .text { Console.error("connected again: \(server)") }
            case .down(let error, let delay):
                wasDown = true
                line.add("status", "down")
                line.add("reason", error.description)
                line.add("retry", delay)
                if format == .text {
                    Console.error("no connection: \(error); next try in \(delay.inSeconds) s")
                }
            }
            if format == .json {
                append(line)
                flush()
            }
        }
    }

    private func append(_ line: JSONLine) {
        append(Array((line.line + "\n").utf8))
    }

    private func append(_ bytes: [UInt8]) {
        let isLarge = pending.withLock { pending in
            pending += bytes
            return pending.count >= 65_536
        }
        if isLarge { flush() }
    }

    func flush() {
        // Written under the lock: lines of two tasks do not mix.
        pending.withLock { pending in
            guard !pending.isEmpty else { return }
            Console.write(pending, to: STDOUT_FILENO)
            pending.removeAll(keepingCapacity: true)
        }
    }
}
