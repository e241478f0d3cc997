import Broadcaster
import BroadcasterChatDemo
import BroadcasterWire
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
    private let start: SubscriptionStart

    init(_ words: [Word]) throws {
        arguments = try Arguments(
            words,
            valued: [
                "--url", "--format", "--count", "--timeout", "--buffer", "--overflow", "--history",
                "--since", "--after",
            ],
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
        start = try SubscribeCommand.start(arguments)
    }

    private static func start(_ arguments: Arguments) throws -> SubscriptionStart {
        let given = ["--history", "--since", "--after"].filter { arguments[$0] != nil }
        guard given.count <= 1 else {
            throw Failure(
                .usage, "\(given.joined(separator: " and ")) say where to begin: give one")
        }
        if arguments["--history"] == "all" { return .all }
        if let text = arguments["--history"] {
            guard let count = URLOptions.integer(text) else {
                throw Failure(
                    .usage, "--history takes a number of messages, or all, not \"\(text)\"")
            }
            return .last(count)
        }
        if let time = try arguments.duration("--since") { return .since(time) }
        if let position = try arguments.position("--after") { return .after(position) }
        return .new
    }

    private static func overflow(_ text: String?) throws -> SubscriptionBuffer.Overflow {
        switch text {
        case nil: .automatic
        case "drop-oldest": .dropOldest
        case "refill": .refill
        case "drop-newest": .dropNewest
        case "fail": .fail
        case let other?:
            throw Failure(
                .usage, "--overflow is drop-oldest, drop-newest, fail or refill, not \"\(other)\"")
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
                ? try await broadcast.subscribe(
                    to: [], patterns: topics, history: start, buffer: buffer)
                : try await broadcast.subscribe(to: topics, history: start, buffer: buffer)
            printer.subscribed(subscription)
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
