internal import Synchronization

/// One attempt to connect: looks the name up, tries every address, and calls back once.
///
/// It tries the next address when one has failed, or has been silent for 250 ms (RFC 8305 §5, "Connection Attempt
/// Delay"). The first that answers wins; the others are closed. Everything happens on the loop.
package final class Dialer: Sendable {
    package typealias Completion = @Sendable (Result<Socket, SocketError>) -> Void
    /// Finds the addresses of a host and a port; see `NameResolution.start`.
    typealias Resolver =
        @Sendable (
            String, UInt16, @escaping @Sendable (Result<[SocketAddress], SocketError>) -> Void
        ) -> Void

    static let attemptDelay: Duration = .milliseconds(250)

    private struct Attempt {
        let socket: Socket
        let address: SocketAddress
        let registration: EventLoop.Registration
    }

    private struct State {
        var remaining: [SocketAddress] = []
        var attempts: [Int: Attempt] = [:]
        var lastAttempt = 0
        var failures: [SocketError] = []
        var deadline: EventLoop.Timer?
        var nextAttempt: EventLoop.Timer?
        var completion: Completion?
    }

    private let loop: EventLoop
    private let destination: Destination
    private let state = Mutex(State())

    /// Begins at once. Calls `completion` on the loop, unless the dialer is cancelled before.
    package convenience init(
        to destination: Destination, on loop: EventLoop, deadline: ContinuousClock.Instant,
        completion: @escaping Completion
    ) {
        self.init(
            to: destination, on: loop, deadline: deadline,
            resolver: { NameResolution.start(host: $0, port: $1, completion: $2) },
            completion: completion)
    }

    init(
        to destination: Destination, on loop: EventLoop, deadline: ContinuousClock.Instant,
        resolver: Resolver, completion: @escaping Completion
    ) {
        self.loop = loop
        self.destination = destination
        state.withLock { $0.completion = completion }
        let timer = loop.schedule(at: deadline) { [self] in timedOut() }
        state.withLock { $0.deadline = timer }
        switch destination {
        case .host(let host, let port):
            resolver(host, port) { [self] result in
                loop.execute { [self] in resolved(result) }
            }
        case .unix(let path):
            let result = Result { () throws(SocketError) in [try SocketAddress(unixPath: path)] }
            loop.execute { [self] in resolved(result) }
        }
    }

    package func cancel() {
        _ = end()
    }

    private func resolved(_ result: Result<[SocketAddress], SocketError>) {
        switch result {
        case .success(let addresses):
            state.withLock { $0.remaining = addresses }
            tryNext()
        case .failure(let error): finish(.failure(error))
        }
    }

    /// Begins attempts until one is under way.
    private func tryNext() {
        while let address = nextAddress() {
            do throws(SocketError) {
                let socket = try Socket(family: address.family)
                if try socket.connect(to: address) == .connected {
                    return finish(.success(socket))
                }
                return try watch(socket, address)
            } catch {
                state.withLock { $0.failures.append(error) }
            }
        }
        if state.withLock({ $0.attempts.isEmpty }) { finish(.failure(allFailed())) }
    }

    private func nextAddress() -> SocketAddress? {
        state.withLock { state in
            guard state.completion != nil, !state.remaining.isEmpty else { return nil }
            return state.remaining.removeFirst()
        }
    }

    private func watch(_ socket: Socket, _ address: SocketAddress) throws(SocketError) {
        let number = state.withLock { state in
            state.lastAttempt += 1
            return state.lastAttempt
        }
        let registration = try loop.watch(socket, for: .writable) { [self] _ in decided(number) }
        let timer = loop.schedule(at: .now + Dialer.attemptDelay) { [self] in tryNext() }
        let previous = state.withLock { state in
            state.attempts[number] = Attempt(
                socket: socket, address: address, registration: registration)
            defer { state.nextAttempt = timer }
            return state.nextAttempt
        }
        if let previous { loop.cancel(previous) }
    }

    /// Finishes an attempt that has succeeded or failed.
    private func decided(_ number: Int) {
        guard let attempt = state.withLock({ $0.attempts.removeValue(forKey: number) }) else {
            return
        }
        loop.unwatch(attempt.registration)
        do throws(SocketError) {
            try attempt.socket.finishConnecting(to: attempt.address)
            finish(.success(attempt.socket))
        } catch {
            state.withLock { $0.failures.append(error) }
            tryNext()
        }
    }

    private func timedOut() {
        let failures = state.withLock { $0.failures.map(\.description) }
        let earlier = failures.isEmpty ? "" : " (\(failures.joined(separator: "; ")))"
        finish(
            .failure(SocketError("connect \(destination): no answer before the deadline\(earlier)"))
        )
    }

    private func allFailed() -> SocketError {
        let failures = state.withLock { $0.failures }
        if failures.count == 1 { return failures[0] }
        let texts = failures.map(\.description)
        return SocketError(
            texts.isEmpty ? "look up \(destination): no address" : texts.joined(separator: "; "))
    }

    private func finish(_ result: Result<Socket, SocketError>) {
        end()?(result)
    }

    /// Releases all sockets and timers. Returns the completion once.
    private func end() -> Completion? {
        let ended = state.withLock { state in
            defer { state = State() }
            return state
        }
        for attempt in ended.attempts.values { loop.unwatch(attempt.registration) }
        for timer in [ended.deadline, ended.nextAttempt] { timer.map(loop.cancel) }
        return ended.completion
    }
}
