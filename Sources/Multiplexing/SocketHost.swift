package import BroadcasterSockets
package import BroadcasterWire

/// An event loop with its sockets, as the surroundings of a session runner: one thread, from `init` to `stop`.
package final class SocketHost: RunnerHost {
    private let loop: EventLoop
    private let loopTasks: LoopTaskExecutor

    package init() throws(SocketError) {
        loop = try EventLoop(name: "broadcast")
        loopTasks = LoopTaskExecutor(loop)
    }

    package var executor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }
    package var taskExecutor: (any TaskExecutor)? { loopTasks }
    package var now: Instant { .now }
    package func chance() -> Double { .random(in: 0...1) }

    @discardableResult
    package func execute(_ work: @escaping @Sendable () -> Void) -> Bool {
        loop.execute(work)
    }

    package func schedule(
        at deadline: Instant, _ action: @escaping @Sendable () -> Void
    ) -> @Sendable () -> Void {
        let timer = loop.schedule(at: deadline.onClock, action)
        return { [loop] in loop.cancel(timer) }
    }

    package func connect(
        to endpoint: Endpoint, deadline: Instant,
        completion: @escaping @Sendable (Result<any ByteStream, SocketError>) -> Void
    ) -> @Sendable () -> Void {
        let dialer = Dialer(
            to: Destination(endpoint), on: loop, deadline: deadline.onClock
        ) { [loop] result in
            completion(result.map { SocketStream($0, on: loop) })
        }
        return { dialer.cancel() }
    }

    package func coalesceReads() {
        loop.coalesceReads()
    }

    package func stop() {
        loop.stop()
    }
}

extension Destination {
    fileprivate init(_ endpoint: Endpoint) {
        switch endpoint {
        case .tcp(let host, let port): self = .host(host, port: port)
        case .unix(let path): self = .unix(path: path)
        }
    }
}
