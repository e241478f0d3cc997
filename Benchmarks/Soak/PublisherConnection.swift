import BroadcasterSockets
import Glibc

/// One connection of the independent publisher, and the publications that the server has not answered on it.
struct PublisherConnection {
    struct Publication {
        let channel: Int
        let number: Int
        let sentAt: Int
    }

    private let socket: Socket
    private var dialect: any PublisherDialect
    private var unsent: [UInt8]
    private(set) var waiting: [Publication] = []
    private(set) var isOpen = true

    init(_ socket: Socket, _ dialect: any PublisherDialect) {
        self.socket = socket
        self.dialect = dialect
        unsent = dialect.greeting
    }

    var isReady: Bool { dialect.isReady }

    mutating func publish(_ number: Int, on channel: Int, named name: String) {
        // Taken before the sending: a gap delivered before this time cannot cover this message.
        waiting.append(Publication(channel: channel, number: number, sentAt: Moment.now))
        unsent += dialect.publication(of: number, on: name)
    }

    /// Writes, waits a little for the server, and returns its answers.
    mutating func exchange() -> [(Publication, Bool)] {
        do throws(SocketError) {
            if !unsent.isEmpty { unsent.removeFirst(try socket.write(unsent, from: 0)) }
            var wanted = pollfd(
                fd: socket.number, events: Int16(unsent.isEmpty ? POLLIN : POLLIN | POLLOUT),
                revents: 0)
            guard poll(&wanted, 1, 5) > 0 else { return [] }
            // Answers come one by one; one look takes all that are there after a moment.
            usleep(2000)
            var bytes: [UInt8] = []
            if case .end = try socket.read(to: &bytes, limit: 65_536) { isOpen = false }
            let answers = dialect.answers(in: bytes)
            defer { waiting.removeFirst(min(answers.count, waiting.count)) }
            return Array(zip(waiting, answers))
        } catch {
            isOpen = false
            return []
        }
    }
}
