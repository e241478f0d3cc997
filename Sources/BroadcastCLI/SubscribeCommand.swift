import Broadcaster
import BroadcasterAuthentication
import BroadcasterChatDemo
import Glibc
import Synchronization

/// `broadcast subscribe`: prints what is published, until told to end.
struct SubscribeCommand {
    /// A terminal or a pipe can be slower than a server, so far more waits here than in a server's
    /// subscription; it is bounded all the same.
    private static let defaultBuffer = SubscriptionBuffer(messages: 1_000_000, bytes: 256 << 20)

    private let arguments: Arguments
    private let topics: [String]
    private let printer: EventPrinter
    private let count: Int?
    private let timeout: Duration?
    private let buffer: SubscriptionBuffer

    init(_ words: [Word]) throws {
        arguments = try Arguments(
            words,
            valued: ["--url", "--format", "--count", "--timeout", "--buffer", "--overflow"],
            flags: ["--pattern", "--trace"], rest: "a channel")
        guard !arguments.positional.isEmpty else {
            throw Failure(.usage, "no channel to subscribe to; try broadcast subscribe --help")
        }
        let isPattern = arguments.has("--pattern")
        topics = try arguments.names(arguments.positional, what: isPattern ? "pattern" : "channel")
        count = try arguments.count("--count")
        timeout = try arguments.duration("--timeout")
        printer = EventPrinter(
            format: try arguments.format(), topics: topics, isPattern: isPattern)
        var buffer = SubscribeCommand.defaultBuffer
        if let messages = try arguments.count("--buffer") { buffer.messages = messages }
        buffer.overflow = try SubscribeCommand.overflow(arguments["--overflow"])
        self.buffer = buffer
    }

    private static func overflow(_ text: String?) throws -> SubscriptionBuffer.Overflow {
        switch text {
        case "drop-oldest", nil: .dropOldest
        case "drop-newest": .dropNewest
        case "fail": .fail
        case let other?:
            throw Failure(
                .usage, "--overflow is drop-oldest, drop-newest or fail, not \"\(other)\"")
        }
    }

    func run() async throws {
        // Said at once: the first message, which could not be printed, may come in a year.
        guard !StandardDescriptors.closed.contains(STDOUT_FILENO) else {
            throw Failure(.other, "standard output is closed: messages could not be printed")
        }
        let broadcast = try arguments.broadcast()
        let isMemory = try arguments.isMemory()
        let work = Task { try await self.print(from: broadcast, isMemory: isMemory) }
        Interruption.handle {
            work.cancel()
            // The work may be held up by whoever reads what we print; the server is told in any case.
            Task { await broadcast.disconnect() }
        }
        let expiry = Expiry()
        let watching = Task { for await status in broadcast.statuses { expiry.saw(status) } }
        defer { watching.cancel() }
        let alarm = timeout.map { timeout in
            Task {
                try await Task.sleep(for: timeout)
                expiry.come()
                work.cancel()
                await broadcast.disconnect()
                try await Task.sleep(for: .seconds(2))
                // Nobody reads what we print, and so the work does not end.
                exit(Failure.Status.timedOut.rawValue)
            }
        }
        let result = await work.result
        alarm?.cancel()
        await broadcast.disconnect()
        if let reason = expiry.reason, let timeout {
            throw Failure(.timedOut, "the time of \(timeout.inSeconds) s ran out\(reason)")
        }
        try result.get()
    }

    /// The end of the time, and the state of the connection then: told by one task, asked by another.
    private final class Expiry: Sendable {
        private struct State {
            var isReady = false
            /// The reason for which the last attempt or connection ended, since there was none that held.
            var lastFailure: BroadcastError?
            var atEnd: String?
        }

        private let state = Mutex(State())

        func saw(_ status: BroadcastStatus) {
            state.withLock { state in
                switch status {
                case .ready: (state.isReady, state.lastFailure) = (true, nil)
                case .down(let error, _): (state.isReady, state.lastFailure) = (false, error)
                case .connecting, .closed: state.isReady = false
                }
            }
        }

        func come() {
            state.withLock { state in
                switch (state.isReady, state.lastFailure) {
                case (true, _): state.atEnd = ""
                case (false, let error?): state.atEnd = "; there was no connection: \(error)"
                case (false, nil): state.atEnd = "; still connecting"
                }
            }
        }

        /// Empty where the server was there and nothing came; nil while there is time.
        var reason: String? { state.withLock { $0.atEnd } }
    }

    private func print(from broadcast: Broadcast, isMemory: Bool) async throws {
        do throws(BroadcastError) {
            try await broadcast.connect()
            let subscription =
                arguments.has("--pattern")
                ? try await broadcast.subscribe(to: [], patterns: topics, buffer: buffer)
                : try await broadcast.subscribe(to: topics, buffer: buffer)
            printer.subscribed()
            if isMemory {
                Console.error(
                    "broadcast: nobody else can publish here: memory:// is inside this process alone; name a"
                        + " server by --url or $BROADCAST_URL")
            }
            let watcher = Task { await printer.watch(broadcast) }
            defer { watcher.cancel() }
            try await print(subscription)
        } catch {
            // Else a signal or the timeout: the end that was asked for.
            guard Task.isCancelled else { throw error }
        }
    }

    private func print(_ subscription: Subscription) async throws(BroadcastError) {
        var printed = 0
        var events = subscription.events.makeAsyncIterator()
        defer { printer.flush() }
        while printed < count ?? .max, let event = try await events.next() {
            switch event {
            case .message(let message):
                printer.message(message)
                printed += 1
            case .gap(let gap): printer.gap(gap)
            }
            // One write for all that has come; and nothing that has come stays here.
            if !subscription.hasPending { printer.flush() }
        }
    }
}

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

    func subscribed() {
        for topic in topics {
            switch format {
            case .text: Console.error("subscribed to \(topic)")
            case .json:
                var line = JSONLine(type: "subscribed")
                line.add(isPattern ? "pattern" : "channel", topic)
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
