import Broadcaster
import BroadcasterAuthentication
import Glibc

/// An event that the server reports to a page or an event stream.
enum ChatEvent: Sendable {
    case message(Message)
    case gap(Gap)
    /// The page was away, and the server has no history of what it missed.
    case missed
    /// The room's messages are kept: a page that comes back says where it stood, here for the first time.
    case start(MessagePosition)
    /// The state of the chat server's own connection: `ready` or `down`.
    case status(String)
    /// A message of the client was not published.
    case failed(String)

    init(_ event: SubscriptionEvent) {
        switch event {
        case .message(let message): self = .message(message)
        case .gap(let gap): self = .gap(gap)
        }
    }

    /// The event as one JSON object, for a WebSocket.
    var json: String {
        switch self {
        case .message(let message):
            var line = JSONLine(type: "message")
            if let text = message.validText {
                line.add("text", text)
            } else {
                line.add("base64", Base64.encode(message.bytes))
            }
            if let position = message.position { line.add("position", position.description) }
            return line.line
        case .gap(let gap):
            var line = JSONLine(type: "gap")
            switch gap.reason {
            case .reconnected(let duration, _):
                line.add("reason", "reconnected")
                line.add("seconds", duration)
            case .overflow: line.add("reason", "overflow")
            case .incomplete: line.add("reason", "incomplete")
            case .trimmed: line.add("reason", "trimmed")
            case .reset: line.add("reason", "reset")
            }
            line.add("lost", gap.lost)
            return line.line
        case .missed:
            var line = JSONLine(type: "gap")
            line.add("reason", "away")
            return line.line
        case .start(let position):
            var line = JSONLine(type: "start")
            line.add("position", position.description)
            return line.line
        case .status(let status):
            var line = JSONLine(type: "status")
            line.add("status", status)
            return line.line
        case .failed(let text):
            var line = JSONLine(type: "failed")
            line.add("message", text)
            return line.line
        }
    }

    /// The event as a Server-Sent Event: a message is its own text, all else has a name and an object.
    var serverSent: [UInt8] {
        switch self {
        case .message(let message):
            // A line feed, a carriage return or both end a line of an event stream.
            let lines = message.text.split(omittingEmptySubsequences: false) {
                $0 == "\n" || $0 == "\r" || $0 == "\r\n"
            }
            // The browser gives the id back when it returns.
            let id = message.position.map { "id: \($0)\n" } ?? ""
            return Array((id + lines.map { "data: \($0)\n" }.joined() + "\n").utf8)
        case .start(let position): return Array("id: \(position)\n: the room\n\n".utf8)
        case .gap, .missed: return named("gap")
        case .status: return named("status")
        case .failed: return named("failed")
        }
    }

    private func named(_ name: String) -> [UInt8] {
        Array("event: \(name)\ndata: \(json)\n\n".utf8)
    }

    // MARK: Notices of the server in a room

    static func joined(_ person: String) -> String { notice("joined", person) }

    static func left(_ person: String) -> String { notice("left", person) }

    private static func notice(_ type: String, _ person: String) -> String {
        var line = JSONLine(type: type)
        line.add("name", person)
        line.add("time", milliseconds())
        return line.line
    }

    /// The milliseconds since 1970, as JavaScript counts.
    private static func milliseconds() -> Int {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return now.tv_sec * 1000 + now.tv_nsec / 1_000_000
    }
}
