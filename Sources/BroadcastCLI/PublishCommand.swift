import Broadcaster
import BroadcasterChatDemo
import Glibc

/// `broadcast publish`: one message from the command line, or many from standard input.
struct PublishCommand {
    private let arguments: Arguments
    private let format: Format
    private let channel: String
    private let message: Word?
    private let writing = Turnstile()

    init(_ words: [Word]) throws {
        arguments = try Arguments(
            words, valued: ["--url", "--format"], flags: ["--trace"],
            rest: "a channel or message")
        format = try arguments.format()
        let words = arguments.positional
        guard (1...2).contains(words.count) else {
            throw Failure(
                .usage,
                words.isEmpty
                    ? "no channel to publish to; try broadcast publish --help"
                    : "one channel and one message: put a message with blanks in quotes")
        }
        channel = try arguments.names([words[0]], what: "channel")[0]
        message = words.count == 2 ? words[1] : nil
    }

    func run() async throws {
        let broadcast = try arguments.broadcast()
        try sayWhatIsInVain()
        // Reading standard input blocks this task, so a signal ends the program from outside of it, once the outcomes
        // of what is under way are written.
        Interruption.handle {
            writing.close()
            Task {
                await broadcast.disconnect()
                await writing.ended()
                exit(0)
            }
        }
        do {
            try await connect(broadcast)
            if let message {
                try await publishTurn([message.bytes], through: broadcast)
            } else {
                try await publishLines(through: broadcast)
            }
        } catch {
            await writing.stayIfClosed()
            await broadcast.disconnect()
            throw error
        }
        await broadcast.disconnect()
    }

    /// Success is told by the status alone: where there is nobody to hear, or nothing to say, a line says so.
    private func sayWhatIsInVain() throws {
        if try arguments.isMemory() {
            Console.error(
                "broadcast: nobody else hears this: memory:// is inside this process alone; name a server"
                    + " by --url or $BROADCAST_URL")
        }
        if message == nil, StandardDescriptors.closed.contains(STDIN_FILENO) {
            Console.error("broadcast: standard input is closed: there is nothing to publish")
        }
    }

    /// Publishes, and writes what became of it, if the end has not begun.
    private func publishTurn(_ messages: [[UInt8]], through broadcast: Broadcast) async throws {
        guard writing.begin() else { return await writing.stayIfClosed() }
        defer { writing.end() }
        try await publish(messages, through: broadcast)
    }

    private func connect(_ broadcast: Broadcast) async throws(BroadcastError) {
        do throws(BroadcastError) {
            try await broadcast.connect()
        } catch {
            if format == .json {
                // Seen from the message, no connection is what `disconnected` means.
                let text = error.description
                let isAbsent = if case .unreachable = error { true } else { false }
                Console.output(line(for: .failure(isAbsent ? .disconnected(text) : error)))
            }
            throw error
        }
    }

    /// All lines that have come are sent at once; the next ones are read when they are accepted.
    private func publishLines(through broadcast: Broadcast) async throws {
        var reader = LineReader()
        var failure: (any Error)?
        while let lines = try reader.next() {
            do {
                try await publishTurn(lines, through: broadcast)
            } catch {
                // The next lines may come through; the first failure is what we end with.
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    private func publish(_ messages: [[UInt8]], through broadcast: Broadcast) async throws {
        var outcomes: [Result<PublishReceipt, BroadcastError>]
        do throws(BroadcastError) {
            outcomes = try await broadcast.publish(contentsOf: messages, to: channel)
                .map { .success($0) }
        } catch {
            if case .incomplete(let each) = error {
                outcomes = each
            } else if case .invalid = error, messages.count > 1 {
                // One of them is too long: the others are good, and which came together is chance.
                return try await publishEach(of: messages, through: broadcast)
            } else {
                outcomes = messages.map { _ in .failure(error) }
            }
        }
        var text = ""
        var firstFailure: BroadcastError?
        for outcome in outcomes {
            if case .failure(let error) = outcome { firstFailure = firstFailure ?? error }
            if format == .json { text += line(for: outcome) + "\n" }
        }
        Console.write(Array(text.utf8), to: STDOUT_FILENO)
        if let firstFailure { throw firstFailure }
    }

    private func publishEach(of messages: [[UInt8]], through broadcast: Broadcast) async throws {
        var failure: (any Error)?
        for message in messages {
            do {
                try await publish([message], through: broadcast)
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    private func line(for outcome: Result<PublishReceipt, BroadcastError>) -> String {
        switch outcome {
        case .success(let receipt):
            var line = JSONLine(type: "published")
            line.add("channel", channel)
            line.add("receivers", receipt.receivers)
            if let position = receipt.position { line.add("position", position.description) }
            return line.line
        case .failure(let error):
            var line = JSONLine(type: "failed")
            line.add("error", error.name)
            line.add("message", error.description)
            return line.line
        }
    }
}

extension BroadcastError {
    /// The error's name in the output of `--format json`.
    var name: String {
        switch self {
        case .invalidURL: "invalid-url"
        case .invalid: "invalid"
        case .unreachable: "unreachable"
        case .insecure: "insecure"
        case .authenticationFailed: "authentication-failed"
        case .permissionDenied: "permission-denied"
        case .refused: "refused"
        case .temporarilyRefused: "temporarily-refused"
        case .connectionLost: "connection-lost"
        case .protocolViolation: "protocol-violation"
        case .timedOut: "timed-out"
        case .disconnected: "disconnected"
        case .outcomeUnknown: "outcome-unknown"
        case .overflow: "overflow"
        case .incomplete: "incomplete"
        case .historyUnsupported: "history-unsupported"
        case .undecodable: "undecodable"
        case .cancelled: "cancelled"
        case .notConnected: "not-connected"
        }
    }
}
