import BroadcasterSockets
import BroadcasterTestSupport
import Glibc
import Synchronization

/// Publishes consecutive numbers on every channel, straight to the server, and logs the numbers that
/// the server acknowledged. It shares nothing with the library but the sockets.
///
/// It never gives up on an answer: a connection ends when the server ends it. So the server cannot take messages of
/// an old connection after those of a new one, and the log's order is the server's.
final class IndependentPublisher: Sendable {
    private struct Orders {
        var rate: Int
        /// Numbers to send at once, beyond the rate.
        var burst = 0
        var isStopped = false
        var accepted = 0
        var unknown = 0
        /// The last accepted number of each channel.
        var last: [Int]
        var isIdle = false
    }

    let channels: [String]
    private let address: SocketAddress
    private let makeDialect: @Sendable () -> any PublisherDialect
    private let log: LogFile
    private let orders: Mutex<Orders>
    private let (ended, endedContinuation) = AsyncStream<Never>.makeStream()

    init(
        of channels: [String], rate: Int, to address: SocketAddress, log: LogFile,
        dialect: @escaping @Sendable () -> any PublisherDialect
    ) throws {
        self.channels = channels
        self.log = log
        self.address = address
        makeDialect = dialect
        orders = Mutex(Orders(rate: rate, last: channels.map { _ in 0 }))
    }

    func start() throws {
        try Thread.start("publisher") { [self] in
            run()
            endedContinuation.finish()
        }
    }

    var logPath: String { log.path }

    var counts: (accepted: Int, unknown: Int) {
        orders.withLock { ($0.accepted, $0.unknown) }
    }

    func burst(_ count: Int) {
        orders.withLock { $0.burst += count }
    }

    /// Ends the publishing at the rate.
    func quieten() {
        orders.withLock { $0.rate = 0 }
    }

    /// True if everything asked for was sent and answered.
    var isIdle: Bool { orders.withLock { $0.isIdle && $0.burst == 0 } }

    /// The last number of each channel that the server accepted.
    var last: [String: Int] {
        let last = orders.withLock { $0.last }
        return Dictionary(uniqueKeysWithValues: zip(channels, last))
    }

    /// Ends, with the last numbers as the final ones.
    func stop() async {
        orders.withLock { $0.isStopped = true }
        for await _ in ended {}
        for (channel, number) in last.sorted(by: { $0.key < $1.key }) {
            log.write(PublishedLine.final(channel: channel[...], number: number).text)
        }
        log.flush()
    }

    // MARK: On its thread

    private func run() {
        var numbers = channels.map { _ in 0 }
        while !orders.withLock({ $0.isStopped }) {
            guard let socket = connected() else {
                usleep(20_000)
                continue
            }
            var connection = PublisherConnection(socket, makeDialect())
            var before = Moment.now
            repeat {
                let now = Moment.now
                let count = due(from: before, to: now, unanswered: connection.waiting.count)
                if connection.isReady {
                    before = count > 0 ? now : before
                    for _ in 0..<count { send(&numbers, over: &connection) }
                }
                take(connection.exchange())
                orders.withLock { $0.isIdle = connection.waiting.isEmpty }
            } while connection.isOpen && !orders.withLock({ $0.isStopped })
            take(connection.waiting.map { ($0, false) })
        }
    }

    private func connected() -> Socket? {
        guard let socket = try? Socket(family: address.family) else { return nil }
        switch try? socket.connect(to: address) {
        case .connected: return socket
        case .inProgress:
            var wanted = pollfd(fd: socket.number, events: Int16(POLLOUT), revents: 0)
            guard poll(&wanted, 1, 1000) > 0,
                (try? socket.finishConnecting(to: address)) != nil
            else { return nil }
            return socket
        case nil: return nil
        }
    }

    /// The number of messages to send now. While the server is slow to answer, the rate waits.
    private func due(from before: Int, to now: Int, unanswered: Int) -> Int {
        orders.withLock { orders in
            guard unanswered < 5000 else { return 0 }
            defer { orders.burst = 0 }
            return orders.rate * min(now - before, 100_000) / 1_000_000 + orders.burst
        }
    }

    private func send(_ numbers: inout [Int], over connection: inout PublisherConnection) {
        let channel = numbers.reduce(0, +) % channels.count
        numbers[channel] += 1
        connection.publish(numbers[channel], on: channel, named: channels[channel])
    }

    private func take(_ outcomes: [(PublisherConnection.Publication, Bool)]) {
        for (publication, isAccepted) in outcomes {
            let channel = channels[publication.channel][...]
            let (number, moment) = (publication.number, publication.sentAt)
            let line: PublishedLine =
                isAccepted
                ? .accepted(channel: channel, number: number, sentAt: moment)
                : .unknown(channel: channel, number: number, sentAt: moment)
            log.write(line.text)
            orders.withLock { orders in
                orders.accepted += isAccepted ? 1 : 0
                orders.unknown += isAccepted ? 0 : 1
                if isAccepted { orders.last[publication.channel] = number }
            }
        }
    }
}
