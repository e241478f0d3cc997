import BroadcasterMultiplexing
import BroadcasterSockets
import BroadcasterTesting
import BroadcasterWire
import Synchronization
import Testing

/// Servers of a mesh inside the process, and a driver on a clock that stands still: each step of a test has had its
/// whole effect when it returns.
final class MeshNetwork: Sendable {
    private struct State {
        var servers: [Endpoint: MeshServer<Int>] = [:]
        var streams: [Int: (stream: MemoryStream, endpoint: Endpoint)] = [:]
        var down: Set<Endpoint> = []
        /// Servers that take connections and bytes, and say nothing.
        var silent: Set<Endpoint> = []
        var heard: [Endpoint: [UInt8]] = [:]
        var redirects: [Endpoint: String] = [:]
        var lastStream = 0
        var attempts: [Endpoint] = []
        var statuses: [ConnectionStatus] = []
    }

    let clock = ManualClock()
    let hub = Hub()
    private let state = Mutex(State())

    static let servers = ["a", "b", "c"].map { Endpoint.tcp(host: $0, port: 1) }

    init() {
        state.withLock { state in
            for server in MeshNetwork.servers { state.servers[server] = MeshServer() }
        }
    }

    func driver(
        _ endpoints: [Endpoint] = [servers[0]], connectTimeout: Duration = .seconds(5),
        lanes: Int = 5
    ) -> ServerDriver {
        let limits = ConnectionLimits(
            connectTimeout: connectTimeout, publishTimeout: .seconds(5),
            answerTimeout: .seconds(20), waitsForServer: false,
            shutdownTimeout: .milliseconds(500), unsentBytes: 1 << 20, unparsedBytes: 1 << 20)
        let host = ManualHost(clock: clock) { [weak self] host, endpoint, completion in
            self?.connect(to: endpoint, on: host, completion)
            return {}
        }
        host.afterEachTurn { [weak self] in self?.pump() }
        let observers = Observers(
            status: { [weak self] status in
                self?.state.withLock { $0.statuses.append(status) }
            }, log: { _ in }, trace: nil)
        return ServerDriver(
            MeshBackend(endpoints: endpoints, homes: MeshNetwork.servers, lanes: lanes), on: host,
            limits: limits, hub: hub, observers: observers)
    }

    var attempts: [Endpoint] { state.withLock { $0.attempts } }
    var statuses: [ConnectionStatus] { state.withLock { $0.statuses } }

    // MARK: Faults

    func kill(_ server: Endpoint) {
        let lost = state.withLock { state in
            state.down.insert(server)
            let lost = state.streams.filter { $0.value.endpoint == server }
            for (number, _) in lost {
                state.streams[number] = nil
                state.servers[server]?.closed(number)
            }
            return lost
        }
        for (_, connection) in lost.sorted(by: { $0.key < $1.key }) {
            connection.stream.lose("\(server) died")
        }
    }

    func revive(_ server: Endpoint) {
        state.withLock { _ = $0.down.remove(server) }
    }

    func silence(_ server: Endpoint) {
        state.withLock { _ = $0.silent.insert(server) }
    }

    func unsilence(_ server: Endpoint) {
        state.withLock { _ = $0.silent.remove(server) }
    }

    /// What a silent server has been sent.
    func heard(_ server: Endpoint) -> String {
        state.withLock { String(decoding: $0.heard[server] ?? [], as: UTF8.self) }
    }

    /// Has the server answer each connection with the address of another.
    func redirect(_ server: Endpoint, to text: String) {
        state.withLock { $0.redirects[server] = "elsewhere \(text)\n" }
    }

    // MARK: The network

    private func connect(
        to endpoint: Endpoint, on host: ManualHost, _ completion: ManualHost.Completion
    ) {
        let (stream, greeting) = state.withLock { state -> (MemoryStream?, String?) in
            state.attempts.append(endpoint)
            if state.down.contains(endpoint) { return (nil, nil) }
            state.lastStream += 1
            let stream = MemoryStream(on: host)
            state.streams[state.lastStream] = (stream, endpoint)
            let greeting = state.redirects[endpoint] ?? "hello\n"
            return (stream, state.silent.contains(endpoint) ? nil : greeting)
        }
        guard let stream else {
            return completion(.failure(SocketError("connect \(endpoint): refused")))
        }
        completion(.success(stream))
        if let greeting { stream.receive(greeting.utf8) }
    }

    /// Brings what the client has written to the servers, and their answers back.
    private func pump() {
        let streams = state.withLock { $0.streams.sorted { $0.key < $1.key } }
        for (number, connection) in streams {
            let written = connection.stream.takeWritten()
            let server = state.withLock { state in
                guard state.silent.contains(connection.endpoint) else {
                    return state.servers[connection.endpoint]
                }
                state.heard[connection.endpoint, default: []] += written
                return nil
            }
            guard !written.isEmpty, let server else { continue }
            for (receiver, line) in server.received(written, from: number) {
                state.withLock { $0.streams[receiver] }?.stream.receive(line.utf8)
            }
        }
    }
}

/// A subscriber of a driver's, by hand.
struct MeshSubscriber {
    let mailbox: Mailbox
    let id: Int
    private let hub: Hub

    init(_ hub: Hub, _ channels: [String], messages: Int = 10_000) async throws {
        let mailbox = Mailbox(
            limits: MailboxLimits(messages: messages, bytes: 1 << 24, overflow: .dropOldest))
        let id = hub.newSubscriber()
        let failure = await withCheckedContinuation { waiter in
            hub.add(mailbox, as: id, to: channels.map(TopicName.channel), waiter: waiter)
        }
        if let failure { throw failure }
        (self.mailbox, self.id, self.hub) = (mailbox, id, hub)
    }

    /// All that is there, in short: `channel:text`, `gap2.0`.
    func taken() -> [String] {
        var seen: [String] = []
        while let delivery = mailbox.poll() {
            seen.append(MeshSubscriber.short(delivery))
            if case .end = delivery { break }
        }
        return seen
    }

    static func short(_ delivery: Delivery) -> String {
        switch delivery {
        case .message(let message):
            "\(message.origin.channel):\(String(decoding: message.bytes, as: UTF8.self))"
        case .gap(.connectionLost(_, let duration)): "gap\(duration / .seconds(1))"
        case .gap(let gap): "\(gap)"
        case .end(let failure): "end \(failure.map { "\($0)" } ?? "")"
        }
    }
}
