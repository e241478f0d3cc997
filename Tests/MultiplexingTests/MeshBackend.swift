import BroadcasterWire
import Synchronization

/// A service of several servers, for tests of the core: five lanes to the servers of a list, and a channel's home is
/// the lane that the first character of its name says.
///
/// The servers speak in lines: `sub NAME`, `unsub NAME`, `pub TICKET NAME TEXT`, `ping`; and answer `subbed NAME`,
/// `unsubbed NAME`, `ok TICKET`, `pong`, `msg NAME TEXT`. They greet with `hello`, or with `elsewhere HOST:PORT …`.
struct MeshBackend: Backend {
    let endpoints: [Endpoint]
    /// The homes of lanes, in turn; `.main` goes where the core goes.
    let homes: [Endpoint]
    var lanes = 5

    var secrets: [String] { [] }

    func makeSession() -> any Session { MeshSession(homes: homes, lanes: lanes) }
    func refusal(of topic: TopicName) -> String? { nil }
    func refusal(ofPublishing payload: Payload, to channel: String) -> String? { nil }
}

/// A session that loses lanes, each without the others.
private struct MeshSession: Session {
    private struct Home {
        let endpoint: Endpoint?
        var isOpen = false
        var hasBeenOpen = false
        /// Topics that live here, by name: wanted, and whether the server has confirmed them.
        var topics: [String: (id: Int, isConfirmed: Bool)] = [:]
        var tickets: Set<UInt64> = []
        var retryAt: Instant?
    }

    private var homes: [Home]
    private var index = TopicIndex()
    private var isReady = false

    static let retryDelay: Duration = .milliseconds(20)

    init(homes: [Endpoint], lanes: Int) {
        self.homes = (0..<lanes).map { lane in
            Home(endpoint: lane == 0 ? nil : homes[lane % homes.count])
        }
    }

    var deadline: Instant? { homes.compactMap(\.retryAt).min() }

    // MARK: Lanes

    mutating func opened(
        _ lane: Lane, to peer: PeerInfo, at now: Instant, into output: inout SessionOutput
    ) {
        homes[lane.index].isOpen = true
        homes[lane.index].hasBeenOpen = true
        for name in homes[lane.index].topics.keys { output[lane] += "sub \(name)\n".utf8 }
        guard !isReady, homes.allSatisfy(\.hasBeenOpen) else { return }
        isReady = true
        output.append(.ready(ServerIdentity(product: "mesh", version: "1", dialect: "lines")))
    }

    mutating func lost(
        _ lane: Lane, _ failure: LaneFailure, at now: Instant, into output: inout SessionOutput
    ) -> LaneLoss {
        guard isReady else { return .ended }
        let home = homes[lane.index]
        let confirmed = home.topics.filter { $0.value.isConfirmed }
        if !confirmed.isEmpty {
            output.append(
                .interrupted(topics: confirmed.values.map(\.id), failure.description))
        }
        for name in confirmed.keys { homes[lane.index].topics[name] = nil }
        for ticket in home.tickets.sorted() {
            output.append(.publishLost(ticket: ticket, failure.description))
        }
        homes[lane.index].tickets = []
        homes[lane.index].isOpen = false
        homes[lane.index].retryAt = now + MeshSession.retryDelay
        return .survived
    }

    mutating func timeReached(_ now: Instant, into output: inout SessionOutput) {
        for lane in homes.indices {
            guard let due = homes[lane].retryAt, due <= now else { continue }
            homes[lane].retryAt = nil
            output.connect(Lane(index: lane), to: homes[lane].endpoint)
        }
    }

    // MARK: Commands

    private func lane(of channel: String) -> Lane {
        Lane(index: (channel.first?.wholeNumberValue ?? 0) % homes.count)
    }

    mutating func perform(
        _ command: Command, at now: Instant, into output: inout SessionOutput
    ) {
        switch command {
        case .subscribe(let topics): for topic in topics { subscribe(topic, into: &output) }
        case .unsubscribe(let topics):
            for topic in topics {
                let lane = lane(of: topic.name.text)
                index.remove(topic.name.text)
                homes[lane.index].topics[topic.name.text] = nil
                output[lane] += "unsub \(topic.name.text)\n".utf8
                output.append(.unsubscribed(topic: topic.id))
            }
        case .publish(let messages):
            for message in messages { publish(message, into: &output) }
        case .read: break
        case .ping: output[.main] += "ping\n".utf8
        case .close: for lane in homes.indices { output.finish(Lane(index: lane)) }
        }
    }

    private mutating func subscribe(_ topic: Topic, into output: inout SessionOutput) {
        let (name, lane) = (topic.name.text, lane(of: topic.name.text))
        index.insert(topic)
        homes[lane.index].topics[name] = (topic.id, false)
        if homes[lane.index].isOpen {
            output[lane] += "sub \(name)\n".utf8
        } else {
            output.append(.postponed(topics: [topic.id]))
        }
    }

    private mutating func publish(_ message: Publication, into output: inout SessionOutput) {
        let lane = lane(of: message.channel)
        guard homes[lane.index].isOpen else {
            let rejection = Rejection(kind: .temporary, message: "no home")
            return output.append(.publishRefused(ticket: message.ticket, rejection))
        }
        homes[lane.index].tickets.insert(message.ticket)
        let text = String(decoding: message.payload.bytes, as: UTF8.self)
        output[lane] += "pub \(message.ticket) \(message.channel) \(text)\n".utf8
    }

    // MARK: Answers

    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        while let end = buffer.bytes[buffer.start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: buffer.bytes[buffer.start..<end], as: UTF8.self)
            buffer.consume(upTo: end + 1)
            try receive(line.split(separator: " ").map(String.init), on: lane, into: &output)
        }
    }

    private mutating func receive(
        _ words: [String], on lane: Lane, into output: inout SessionOutput
    ) throws(ProtocolError) {
        switch (words.first, words.count) {
        case ("subbed", 2):
            guard let id = homes[lane.index].topics[words[1]]?.id else { return }
            homes[lane.index].topics[words[1]] = (id, true)
            output.append(.subscribed(topic: id))
        case ("unsubbed", 2): break
        case ("msg", 3):
            guard let entry = index.find(words[1]) else { return }
            output.append(message: .text(words[2]), topic: entry.topic, origin: entry.origin)
        case ("ok", 2):
            guard let ticket = UInt64(words[1]) else { return }
            homes[lane.index].tickets.remove(ticket)
            output.append(published: ticket, receivers: nil)
        case ("hello", 1):
            guard lane == .main, !isReady else { return }
            for other in homes.indices.dropFirst() {
                output.connect(Lane(index: other), to: homes[other].endpoint)
            }
        case ("pong", 1): output.append(.answered)
        case ("elsewhere", _):
            output.append(.redirected(words.dropFirst().map(MeshSession.endpoint)))
        default:
            throw ProtocolError(
                reading: "mesh line", expected: "an answer", found: words.joined(separator: " "))
        }
    }

    private static func endpoint(_ text: String) -> Endpoint {
        let parts = text.split(separator: ":")
        return .tcp(host: String(parts[0]), port: UInt16(parts[1]) ?? 0)
    }
}

/// The channels of one server and the connections that hear them: the other side of `MeshBackend`.
final class MeshServer<Connection: Hashable & Sendable>: Sendable {
    private struct State {
        var subscribers: [String: Set<Connection>] = [:]
        var unread: [Connection: [UInt8]] = [:]
    }

    private let state = Mutex(State())

    /// Takes bytes of a client. The result is the lines to send, and to whom.
    func received(
        _ bytes: some Sequence<UInt8>, from client: Connection
    ) -> [(to: Connection, line: String)] {
        state.withLock { state in
            var unread = state.unread[client, default: []] + bytes
            var answers: [(to: Connection, line: String)] = []
            while let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeSubrange(...end)
                answers += MeshServer.answers(to: line, from: client, &state)
            }
            state.unread[client] = unread
            return answers
        }
    }

    func closed(_ client: Connection) {
        state.withLock { state in
            state.unread[client] = nil
            for name in state.subscribers.keys { state.subscribers[name]?.remove(client) }
        }
    }

    private static func answers(
        to line: String, from client: Connection, _ state: inout State
    ) -> [(to: Connection, line: String)] {
        let words = line.split(separator: " ").map(String.init)
        switch words[0] {
        case "sub":
            state.subscribers[words[1], default: []].insert(client)
            return [(client, "subbed \(words[1])\n")]
        case "unsub":
            state.subscribers[words[1]]?.remove(client)
            return [(client, "unsubbed \(words[1])\n")]
        case "pub":
            let message = "msg \(words[2]) \(words[3])\n"
            return (state.subscribers[words[2]] ?? []).map { ($0, message) }
                + [(client, "ok \(words[1])\n")]
        default: return [(client, "pong\n")]
        }
    }
}
