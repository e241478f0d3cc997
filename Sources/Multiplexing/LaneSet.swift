import BroadcasterSockets
import BroadcasterWire

/// The connections of one session, and the attempts that are to become such. Belongs to the runner's actor.
struct LaneSet {
    private let loop: EventLoop
    private var transports: [Transport?] = [nil, nil]
    private var dialers: [Dialer?] = [nil, nil]

    init(on loop: EventLoop) {
        self.loop = loop
    }

    subscript(lane: Lane) -> Transport? { transports[lane.index] }

    static let all = [Lane.main, .subscriber]

    /// How many bytes wait to be sent, on all lanes together.
    var unsentCount: Int { transports.reduce(0) { $0 + ($1?.unsentCount ?? 0) } }

    mutating func dial(
        _ lane: Lane, _ endpoint: Endpoint, deadline: Instant,
        completion: @escaping Dialer.Completion
    ) {
        dialers[lane.index] = Dialer(
            to: Destination(endpoint), on: loop, deadline: deadline.onClock,
            completion: completion)
    }

    mutating func add(
        _ socket: Socket, as lane: Lane, handler: @escaping @Sendable (Readiness) -> Void
    ) throws(SocketError) {
        let registration = try loop.watch(socket, for: .readable, handler: handler)
        transports[lane.index] = Transport(socket, registration)
    }

    /// FIN on all lanes; what the server still sends is read.
    func finishWriting() {
        for case let transport? in transports { transport.socket.finishWriting() }
    }

    /// Closes one lane. What is still to be sent goes out first, as far as the kernel takes it; then FIN.
    mutating func finish(_ lane: Lane) {
        dialers[lane.index].take()?.cancel()
        guard let transport = transports[lane.index].take() else { return }
        try? transport.flush(loop)
        transport.socket.finishWriting()
        loop.unwatch(transport.registration)
    }

    /// Closes everything at once.
    mutating func close() {
        for index in transports.indices {
            dialers[index].take()?.cancel()
            guard let transport = transports[index].take() else { continue }
            loop.unwatch(transport.registration)
        }
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
