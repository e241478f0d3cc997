import Broadcaster
internal import Synchronization

/// One check under way: it makes what the check asks for, and ends it.
final class ConformanceRun: Sendable {
    let subject: ConformanceSubject
    private let mark = String(UInt64.random(in: 0...(.max)), radix: 36)
    private let made = Mutex<[Broadcast]>([])

    init(_ subject: ConformanceSubject) {
        self.subject = subject
    }

    /// A channel of this check alone.
    func channel(_ name: String) -> String { "conformance-\(mark)-\(name)" }

    /// Options that wait as long as the subject says.
    var options: BroadcastOptions {
        var options = BroadcastOptions()
        options.connectTimeout = subject.patience
        options.publishTimeout = subject.patience
        options.subscribeTimeout = subject.patience
        options.longestRetryDelay = .milliseconds(100)
        return options
    }

    /// A `Broadcast` that is not connected.
    ///
    /// - Parameter port: that of a proxy before the server; nil is the server's own.
    func broadcast(
        through port: UInt16? = nil, _ change: (inout BroadcastOptions) -> Void = { _ in }
    ) throws -> Broadcast {
        var options = options
        change(&options)
        let broadcast = try subject.make(port ?? subject.serverPort ?? 0, options)
        made.withLock { $0.append(broadcast) }
        return broadcast
    }

    /// A `Broadcast` that is connected.
    func connected(
        through port: UInt16? = nil, _ change: (inout BroadcastOptions) -> Void = { _ in }
    ) async throws -> Broadcast {
        let broadcast = try broadcast(through: port, change)
        try await broadcast.connect()
        return broadcast
    }

    /// A proxy before the server.
    func proxy() throws -> FaultyProxy {
        guard let port = subject.serverPort else {
            throw ConformanceFailure("needs a subject with a server")
        }
        return try FaultyProxy(toPort: port)
    }

    /// The texts and gaps of a subscription until its channel is heard on it. "end" is published again and again, since a
    /// connection may still be on its way back.
    func words(
        of subscription: Subscription, in channel: String, from publisher: Broadcast
    ) async throws -> [String] {
        let publishing = Task {
            while !Task.isCancelled {
                try await publisher.publish("end", to: channel)
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        defer { publishing.cancel() }
        return try await subscription.words(upTo: "end")
    }

    /// Disconnects whatever the check has made.
    func end() async {
        for broadcast in made.withLock({ $0 }) { await broadcast.disconnect() }
    }
}

// MARK: Expecting

/// Throws unless both are the same.
func expect<Value: Equatable>(_ what: String, _ found: Value, is expected: Value) throws {
    if found != expected {
        throw ConformanceFailure("\(what): expected \(expected), found \(found)")
    }
}

/// Throws unless the condition holds.
func expect(_ what: String, _ condition: Bool) throws {
    if !condition { throw ConformanceFailure("expected that \(what)") }
}

/// Returns the error that `body` throws.
func failure<Value>(
    of what: String, _ body: () async throws -> Value
) async throws -> BroadcastError {
    do {
        let value = try await body()
        throw ConformanceFailure("\(what): expected an error, found \(value)")
    } catch let error as BroadcastError {
        return error
    }
}

/// Throws unless `body` throws this error.
func expect<Value>(
    _ error: BroadcastError, from what: String, _ body: () async throws -> Value
) async throws {
    try expect(what, try await failure(of: what, body), is: error)
}

/// Runs `body` in a task that is cancelled already.
func cancelled<Value: Sendable>(
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    let (never, continuation) = AsyncStream<Void>.makeStream()
    let task = Task {
        // Ends when the task is cancelled.
        for await _ in never {}
        return try await body()
    }
    task.cancel()
    defer { continuation.finish() }
    return try await task.value
}

extension Broadcast {
    /// Returns when the server has sent so many messages. Nobody tells of that by itself, so the count is looked at.
    func waitUntilReceived(_ count: Int) async throws {
        while statistics.received < count { try await Task.sleep(for: .milliseconds(1)) }
    }
}

extension Subscription {
    /// The texts of all messages up to the end.
    func texts() async throws -> [String] {
        var texts: [String] = []
        for try await message in self { texts.append(message.text) }
        return texts
    }

    /// The texts of all messages up to one with this text, or to the end, and `gap` with its number for each gap.
    func words(upTo last: String? = nil) async throws -> [String] {
        var words: [String] = []
        for try await event in events {
            switch event {
            case .message(let message) where message.text == last: return words
            case .message(let message): words.append(message.text)
            case .gap(let gap): words.append(gap.lost.map { "gap \($0)" } ?? "gap")
            }
        }
        return words
    }
}
