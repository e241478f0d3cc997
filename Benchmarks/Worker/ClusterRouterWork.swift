import BroadcasterRedis
import BroadcasterWire

/// The router of a large cluster alone, without a socket: so many channels on so many nodes, of which one is lost in each
/// second. The nodes are played here; what is measured is the time that the session takes for a change.
struct ClusterRouterWork {
    private let count: Int
    private let nodes: Int
    private let channels: Int

    init(_ arguments: WorkerArguments) throws {
        count = try arguments.number("count")
        nodes = try arguments.number("nodes")
        channels = try arguments.number("channels")
    }

    func run() throws {
        let url = try ServerURL("redis-cluster://n0:1?sharded=true")
        let backend = try ClusterBackend(url, options: .router)
        let before = Meter.memory("VmRSS:")
        var play = ClusterPlay(backend.makeSession(nonce: "n"), nodes: nodes)
        try play.open()
        let topics = (0..<channels).map { Topic(id: $0, name: .channel("channel-\($0)")) }
        for start in stride(from: 0, to: channels, by: 10_000) {
            try play.subscribe(topics[start..<min(start + 10_000, channels)])
        }
        guard play.confirmed == channels else {
            throw WorkerError("\(play.confirmed) of \(channels) channels were confirmed")
        }
        let size = Meter.memory("VmRSS:") - before
        let meter = Meter()
        var times: [Double] = []
        for round in 0..<count {
            let lost = try play.lose(node: 1 + round % (nodes - 1))
            try play.subscribe(lost.map { topics[$0] }[...])
            times.append(play.takeTime())
        }
        guard play.confirmed == channels else {
            throw WorkerError("\(play.confirmed) of \(channels) channels are back")
        }
        meter.report(
            messages: count,
            [
                "milliseconds": times.sorted()[times.count / 2] * 1000,
                "megabytes": Double(size) / 1024,
            ])
    }
}

/// A session with a cluster whose nodes are played: they confirm all that they are asked.
private struct ClusterPlay {
    private var session: any Session
    private var output = SessionOutput()
    private let nodes: Int
    private var now = Instant.now
    private let clock = ContinuousClock()
    /// The life of each node: it comes back at another port.
    private var lives: [Int]
    private var lanes: [Lane: Int] = [:]
    private var buffers: [Lane: ReceiveBuffer] = [:]
    private var interrupted: [Int] = []
    private(set) var confirmed = 0
    private var time = Duration.zero

    init(_ session: any Session, nodes: Int) {
        self.session = session
        self.nodes = nodes
        lives = Array(repeating: 1, count: nodes)
    }

    /// The seconds that the session has taken since the last call.
    mutating func takeTime() -> Double {
        defer { time = .zero }
        return time / .seconds(1)
    }

    mutating func open() throws {
        lanes[.main] = 0
        session.opened(.main, to: peer(0), at: now, into: &output)
        try feed(Self.hello, on: .main)
        try feed(table, on: .main)
        // The login and the question for the table are answered already.
        _ = takeBytes()
    }

    private static let hello = Array("%2\r\n+version\r\n+7\r\n+proto\r\n:3\r\n".utf8)

    private func peer(_ node: Int) -> PeerInfo {
        PeerInfo(endpoint: .tcp(host: "n\(node)", port: UInt16(lives[node])))
    }

    /// The answer to CLUSTER SLOTS: each node has an equal share of the slots.
    private var table: [UInt8] {
        var text = "*\(nodes)\r\n"
        for node in 0..<nodes {
            let (first, end) = (node * 16384 / nodes, (node + 1) * 16384 / nodes)
            let host = "n\(node)"
            text += "*3\r\n:\(first)\r\n:\(end - 1)\r\n*2\r\n$\(host.utf8.count)\r\n\(host)\r\n"
            text += ":\(lives[node])\r\n"
        }
        return Array(text.utf8)
    }

    /// Subscribes, and answers until all are confirmed.
    mutating func subscribe(_ topics: ArraySlice<Topic>) throws {
        let wanted = confirmed + topics.count
        measure { play in
            play.session.perform(.subscribe(Array(topics)), at: play.now, into: &play.output)
        }
        try answer()
        for _ in 0..<20 where confirmed < wanted {
            // What waits is tried again in a moment.
            now = max(now, session.deadline ?? now)
            try measure { play in
                try play.session.timeReached(play.now, into: &play.output)
            }
            try answer()
        }
    }

    /// Loses a node, whose replica takes over. The result is the channels that are to be asked for again.
    mutating func lose(node: Int) throws -> [Int] {
        interrupted = []
        now += .seconds(1)
        guard let lane = lanes.first(where: { $0.value == node })?.key else { return [] }
        lives[node] += 1
        lanes[lane] = nil
        measure { play in
            _ = play.session.lost(lane, .lost("x"), at: play.now, into: &play.output)
        }
        try answer()
        confirmed -= interrupted.count
        return interrupted
    }

    private mutating func measure(_ body: (inout ClusterPlay) throws -> Void) rethrows {
        let start = clock.now
        try body(&self)
        time += clock.now - start
    }

    private mutating func feed(_ bytes: [UInt8], on lane: Lane) throws {
        try measure { play in
            play.buffers[lane, default: ReceiveBuffer()].append(bytes)
            try play.session.receive(
                &play.buffers[lane, default: ReceiveBuffer()], on: lane, at: play.now,
                into: &play.output)
        }
    }

    /// Answers until the session asks for nothing more.
    private mutating func answer() throws {
        while true {
            let wishes = output.takeConnections()
            for wish in wishes {
                guard case .tcp(let host, _) = wish.endpoint, let node = Int(host.dropFirst())
                else { continue }
                lanes[wish.lane] = node
                buffers[wish.lane] = ReceiveBuffer()
                session.opened(wish.lane, to: peer(node), at: now, into: &output)
                try feed(Self.hello, on: wish.lane)
            }
            let asked = takeBytes()
            for (lane, bytes) in asked { try feed(answers(to: bytes), on: lane) }
            takeEvents()
            if wishes.isEmpty, asked.isEmpty { return }
        }
    }

    private mutating func takeBytes() -> [(lane: Lane, bytes: [UInt8])] {
        var taken: [(lane: Lane, bytes: [UInt8])] = []
        output.drainBytes { lane, bytes in
            taken.append((lane, bytes))
            bytes = []
        }
        return taken
    }

    private mutating func takeEvents() {
        for event in output.takeEvents() {
            switch event {
            case .subscribed: confirmed += 1
            case .interrupted(let topics, _): interrupted += topics
            default: break
            }
        }
    }

    /// The answers of a node to commands: a confirmation for each name, and what else is asked.
    private func answers(to bytes: [UInt8]) -> [UInt8] {
        var answers: [UInt8] = []
        var isSubscribing = false
        for word in bytes.split(separator: 10) where word.first != 42 && word.first != 36 {
            switch String(decoding: word.dropLast(), as: UTF8.self) {
            case "SSUBSCRIBE": isSubscribing = true
            case "PING":
                isSubscribing = false
                answers += Array("+PONG\r\n".utf8)
            case "CLUSTER": isSubscribing = false
            case "SLOTS": answers += table
            case let name where isSubscribing:
                answers += Array(
                    ">3\r\n$10\r\nssubscribe\r\n$\(name.utf8.count)\r\n\(name)\r\n:1\r\n".utf8)
            default: break
            }
        }
        return answers
    }
}

extension CommonOptions {
    fileprivate static let router = CommonOptions(
        connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(1_000_000),
        maximumMessageSize: 1 << 20)
}
