package import BroadcasterWire

/// A recorded conversation of a client with a server, as `BroadcastOptions.trace` writes it line by line.
///
/// `>` begins a command, `C:` bytes that the client must send, `S:` bytes that it receives, `!` an event, `x` an error, `#` a
/// comment. A lane other than the main one stands behind its letter: `C1:`. The first line is a title, and the second the URL
/// that the client was given, both as comments.
///
/// ```
/// # One message. nats-server 2.9.10.
/// # nats://127.0.0.1
/// S: INFO {"version":"2.9.10"}\r\n
/// C: CONNECT {"verbose":true}\r\nPING\r\n
/// ```
public struct Transcript: Sendable, CustomStringConvertible {
    /// An input of the session, and the output that it must give.
    package struct Step: Sendable {
        package enum Input: Sendable {
            case opened
            case received(Lane, [UInt8])
            /// Commands one after the other, before anything is sent.
            case commands([String])
        }

        package var input: Input
        /// The bytes that the client must send, by lane.
        package var sent: [Int: [UInt8]] = [:]
        /// Lines that begin with `!` or `x`.
        package var told: [String] = []
    }

    /// The name by which a difference is told.
    public let description: String
    package var name: String { description }
    /// The URL that the client was given: the second line, after the title.
    public let url: String
    package let steps: [Step]

    /// Reads a transcript.
    ///
    /// - Parameters:
    ///   - name: the name by which a difference is told.
    ///   - text: its lines. A line that is none of a transcript's is a mistake of the test, and ends the program.
    public init(name: String, text: String) {
        description = name
        let head = text.split(separator: "\n").prefix(2).last ?? ""
        url = head.hasPrefix("# ") ? String(head.dropFirst(2)) : ""
        var steps = [Step(input: .opened)]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
            let content = parts.count == 2 ? parts[1] : ""
            switch parts[0].first {
            case "#": break
            case ">":
                if let last = steps.last, last.sent.isEmpty, last.told.isEmpty,
                    case .commands(let earlier) = last.input
                {
                    steps[steps.count - 1].input = .commands(earlier + [String(content)])
                } else {
                    steps.append(Step(input: .commands([String(content)])))
                }
            case "S":
                let lane = Lane(index: Int(parts[0].dropFirst().dropLast()) ?? 0)
                steps.append(Step(input: .received(lane, Transcript.unescape(content))))
            case "C":
                let lane = Int(parts[0].dropFirst().dropLast()) ?? 0
                steps[steps.count - 1].sent[lane, default: []] += Transcript.unescape(content)
            case "!", "x": steps[steps.count - 1].told.append(String(line))
            default: preconditionFailure("\(name): not a line of a transcript: \(line)")
            }
        }
        self.steps = steps
    }

    /// The client's nonce: in Postgres's SCRAM message, in a probe's channel, or in the name of a publisher
    /// to RabbitMQ, or of a mark.
    package var nonce: String? {
        for bytes in steps.compactMap({ $0.sent[0] }) {
            let text = String(decoding: bytes, as: UTF8.self)
            for mark in [
                "n,,n=,r=", "broadcaster_probe_", "broadcaster-publisherS\0\0\0\u{c}",
                "broadcaster-markS\0\0\0\u{e}",
            ] {
                let (all, sought) = (Array(text.utf8), Array(mark.utf8))
                let start = all.indices.first { all[$0...].starts(with: sought) }
                guard let start else { continue }
                return String(decoding: all[(start + sought.count)...].prefix(24), as: UTF8.self)
            }
        }
        return nil
    }

    /// All that the server sent, on whichever lane.
    public var received: [UInt8] {
        steps.flatMap { step -> [UInt8] in
            if case .received(_, let bytes) = step.input { bytes } else { [] }
        }
    }

    package static func unescape(_ text: some StringProtocol) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\"), let letter = rest.popFirst() else {
                bytes.append(byte)
                continue
            }
            switch letter {
            case UInt8(ascii: "r"): bytes.append(13)
            case UInt8(ascii: "n"): bytes.append(10)
            case UInt8(ascii: "x"):
                let digits = String(decoding: rest.prefix(2), as: UTF8.self)
                rest = rest.dropFirst(2)
                bytes.append(UInt8(digits, radix: 16) ?? 0)
            default: bytes.append(letter)
            }
        }
        return bytes
    }
}
