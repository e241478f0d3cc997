import BroadcasterWire
import Glibc

/// A session that has played a recorded conversation up to its first message.
struct RecordedConversation {
    private var session: any Session
    private var output = SessionOutput()
    private var buffer = ReceiveBuffer()
    private let lines: [Substring]

    /// - Parameter makeSession: makes the session for the URL and the nonce of the recording.
    init(
        _ name: String, makeSession: (ServerURL, String) throws -> any Session
    ) throws {
        let text = try RecordedConversation.read(name)
        lines = text.split(separator: "\n")
        let mark = "n,,n=,r="
        let nonce = text.firstRange(of: mark).map { String(text[$0.upperBound...].prefix(24)) }
        session = try makeSession(ServerURL(String(lines[1].dropFirst(2))), nonce ?? "")
    }

    private static func read(_ name: String) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        let path = "\(root)/Fixtures/\(name).transcript"
        guard let file = fopen(path, "r") else { throw WorkerError("no recording \(path)") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = fgetc(file), byte >= 0 { bytes.append(UInt8(byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Plays the conversation until a message would come.
    mutating func play() throws {
        session.opened(
            .main, to: PeerInfo(endpoint: .unix(path: "recording")), at: .now, into: &output
        )
        var pending: [UInt8]?
        for line in lines {
            if line.hasPrefix("! message") { return }
            if let bytes = pending { _ = try receive(bytes) }
            pending = line.hasPrefix("S: ") ? unescape(line.dropFirst(3)) : nil
            if line.hasPrefix("> subscribe ") { subscribe(to: line.dropFirst(12)) }
        }
        throw WorkerError("the recording has no message")
    }

    private mutating func subscribe(to names: Substring) {
        let topics = names.split(separator: " ").enumerated().map { id, name in
            Topic(id: id, name: .channel(String(decoding: unescape(name), as: UTF8.self)))
        }
        session.perform(.subscribe(topics), at: .now, into: &output)
    }

    /// Receives these bytes. Returns the number of messages in them.
    mutating func receive(_ bytes: [UInt8]) throws -> Int {
        buffer.append(bytes)
        try session.receive(&buffer, on: .main, at: .now, into: &output)
        while let due = session.deadline, due <= .now {
            try session.timeReached(.now, into: &output)
        }
        var messages = 0
        for event in output.takeEvents() {
            if case .messages(let block) = event { messages += block.count }
        }
        output[.main] = []
        return messages
    }

    private func unescape(_ text: Substring) -> [UInt8] {
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
