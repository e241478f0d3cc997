import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(100),
    maximumMessageSize: 64 << 20)

private func endpoint(_ port: UInt16) -> PeerInfo {
    PeerInfo(endpoint: .tcp(host: "h", port: port))
}

/// Streams on a cluster of two nodes: `h:1` has slots 0 to 8191, `h:2` the rest. `b` lives on the first, `a` on the other.
struct ClusterStreamSessionTests {
    private static let table =
        "*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$1\r\nh\r\n:1\r\n*3\r\n:8192\r\n:16383\r\n*2\r\n$1\r\nh\r\n:2\r\n"
    private static let hello = "%2\r\n+version\r\n+7\r\n+proto\r\n:3\r\n"
    private static let tail = "%1\r\n$17\r\nlast-generated-id\r\n$3\r\n5-0\r\n"
    private static let bells = Lane(index: 1)
    /// The lanes to the second node.
    private static let other = Lane(index: 2)
    private static let otherBells = Lane(index: 3)

    private func open() throws -> RedisConversation {
        let url = try ServerURL("redis-stream+cluster://h:1")
        let backend = try ClusterBackend(url, options: options)
        #expect(backend.keepsHistory && backend.refusal(of: .pattern("x")) != nil)
        var talk = RedisConversation(backend.makeSession(nonce: "n"), to: endpoint(1))
        try greet(&talk, .main, Self.bells, 1)
        #expect(talk.events == ["! learned h:1 h:2", "! ready RESP3"])
        return talk
    }

    /// Answers the login of a node on both lanes.
    private func greet(
        _ talk: inout RedisConversation, _ main: Lane, _ bells: Lane, _ port: UInt16
    ) throws {
        if main != .main { talk.open(main, to: endpoint(port)) }
        try talk.answer(Self.hello + Self.table, on: main)
        #expect(talk.wishes() == [bells])
        talk.open(bells, to: endpoint(port))
        try talk.answer(Self.hello + ":7\r\n", on: bells)
        _ = (talk.sent(on: bells), main == .main ? talk.sent(on: main) : "")
    }

    private func topic(_ name: String, _ id: Int = 0) -> Topic {
        Topic(id: id, name: .channel(name))
    }

    /// Both nodes, with a channel on each.
    private func subscribed() throws -> RedisConversation {
        var talk = try open()
        talk.perform(.subscribe([topic("b", 0), topic("a", 1)]))
        #expect(talk.sent() == "XINFO STREAM b")
        #expect(talk.events.last == "! postponed c")
        try talk.answer(Self.tail)
        #expect(talk.events.last == "! subscribed c at 5-0")
        #expect(talk.wishes() == [Self.other])
        try greet(&talk, Self.other, Self.otherBells, 2)
        #expect(talk.sent(on: Self.other).hasSuffix("XINFO STREAM a"))
        try talk.answer(Self.tail, on: Self.other)
        #expect(talk.events.count { $0.hasPrefix("! subscribed") } == 2)
        return talk
    }

    private func publish(_ ticket: UInt64, _ channel: String) -> Command {
        .publish([Publication(ticket: ticket, channel: channel, payload: .text("m\(ticket)"))])
    }

    @Test func eachChannelIsAtTheNodeOfItsSlot() throws {
        var talk = try subscribed()
        talk.perform(publish(1, "a"))
        talk.perform(publish(2, "b"))
        #expect(talk.sent().hasSuffix("message m2"))
        #expect(talk.sent(on: Self.other).hasSuffix("message m1"))
        try talk.answer("$3\r\n6-0\r\n", on: Self.other)
        #expect(talk.events.last?.hasPrefix("! published 1") == true)
        let request = HistoryRequest(ticket: 9, channel: topic("a", 1), kind: .start(.all))
        talk.perform(.read([request]))
        #expect(talk.sent(on: Self.other) == "XRANGE a - + COUNT 1")
    }

    /// A command takes streams of one slot.
    @Test func oneSlotIsWaitedForAndSeveralAreLookedAt() throws {
        var talk = try open()
        talk.perform(.subscribe([topic("{b}1", 0), topic("{b}2", 1)]))
        try talk.answer(Self.tail + Self.tail)
        let waiting = talk.sent(on: Self.bells)
        #expect(waiting.hasPrefix("XREAD COUNT 1 BLOCK 2500 STREAMS {b}"), "\(waiting)")
        talk.perform(.subscribe([topic("c", 2)]))
        _ = talk.sent()
        try talk.answer(Self.tail)
        #expect(talk.sent() == "CLIENT UNBLOCK 7")
        try talk.answer("_\r\n", on: Self.bells)
        try talk.answer(":1\r\n")
        let looking = talk.sent(on: Self.bells)
        #expect(looking.split(separator: " ").count { $0 == "XREAD" } == 2, "\(looking)")
        #expect(!looking.contains("BLOCK"))
        try talk.answer("_\r\n", on: Self.bells)
        try talk.answer("%1\r\n$1\r\nc\r\n*1\r\n*2\r\n$3\r\n6-0\r\n*0\r\n", on: Self.bells)
        #expect(talk.events.last == "! rang c")
        try talk.wait(.milliseconds(10))
        #expect(talk.sent(on: Self.bells) == "")
        try talk.wait(.milliseconds(10))
        #expect(talk.sent(on: Self.bells).hasPrefix("XREAD COUNT 1 BLOCK"), "one is left")
    }

    @Test func aMessageThatIsRedirectedIsSentAgainAndNoneOvertakesIt() throws {
        var talk = try subscribed()
        talk.perform(publish(1, "b"))
        talk.perform(publish(2, "b"))
        _ = (talk.sent(), talk.sent(on: Self.other))
        try talk.answer("-MOVED 3300 h:2\r\n")
        talk.perform(publish(3, "b"))
        let early = talk.sent(on: Self.other)
        #expect(!early.contains("XADD"), "the second may still be stored by the first")
        try talk.answer("-MOVED 3300 h:2\r\n")
        let words = talk.sent(on: Self.other).split(separator: " ").filter { $0.hasPrefix("m") }
        #expect(words.filter { $0 != "message" } == ["m1", "m2", "m3"])
    }

    @Test func aReadingGoesOnAtTheNextNode() throws {
        var talk = try subscribed()
        let page = PageRequest(cursor: .after(Position(5, 0)), count: 5)
        let request = HistoryRequest(ticket: 9, channel: topic("b", 0), kind: .forwards(page))
        talk.perform(.read([request]))
        _ = (talk.sent(), talk.sent(on: Self.other))
        try talk.answer("-MOVED 3300 h:2\r\n")
        #expect(talk.sent(on: Self.other).hasSuffix("XRANGE b 5-0 + COUNT 6"))
        // And when that one dies.
        #expect(talk.lose(Self.other) == .survived)
        #expect(talk.output.takeFinished().contains(Self.otherBells))
        #expect(
            talk.events.last == "! interrupted c: the node at h:2: the server closed the connection"
        )
        for _ in 0..<3 { try talk.wait(.milliseconds(100)) }
        #expect(talk.events.last?.hasPrefix("! page refused 9 no node") == true, "\(talk.events)")
    }

    @Test func aSlotThatMovesIsAskedForAtTheNextNode() throws {
        var talk = try subscribed()
        #expect(talk.sent(on: Self.bells).hasPrefix("XREAD"))
        try talk.answer("-MOVED 3300 h:2\r\n", on: Self.bells)
        #expect(talk.sent() == "XINFO STREAM b")
        try talk.answer("-MOVED 3300 h:2\r\n")
        #expect(talk.events.last == "! interrupted c: the channel has moved from h:1")
        talk.perform(.subscribe([topic("b", 0)]))
        let asked = talk.sent(on: Self.other)
        #expect(asked.hasSuffix("XINFO STREAM b"))
        if asked.contains("CLUSTER SLOTS") { try talk.answer(Self.table, on: Self.other) }
        try talk.answer(Self.tail, on: Self.other)
        #expect(talk.events.last == "! subscribed c at 5-0")
    }

    /// A slot that has no node now, or is on its way, is no fault of the node: the other channels of that go on.
    @Test(arguments: [
        "-CLUSTERDOWN Hash slot not served\r\n", "-TRYAGAIN x\r\n", "-ASK 3300 h:2\r\n",
    ])
    func aSlotWithoutANodeIsTriedAgainInAMoment(answer: String) throws {
        var talk = try subscribed()
        let request = HistoryRequest(ticket: 9, channel: topic("b", 0), kind: .start(.all))
        talk.perform(.subscribe([topic("{b}2", 5)]))
        talk.perform(publish(1, "{b}2"))
        talk.perform(.read([request]))
        _ = talk.sent()
        let count = talk.events.count
        for _ in 0..<3 { try talk.answer(answer) }
        #expect(Array(talk.events[count...]) == ["! postponed c"])
        try talk.wait(.milliseconds(100))
        let again = talk.sent()
        for word in ["XINFO STREAM {b}2", "XADD {b}2", "XRANGE b"] {
            #expect(again.contains(word), "\(again)")
        }
        #expect(talk.session.intake == .pipelined)
    }

    @Test func theLastNodeIsTheSession() throws {
        var talk = try open()
        #expect(talk.lose(Self.bells) == .ended)
    }

    @Test(arguments: [
        ("-ERR This instance has cluster support disabled\r\n", "is no node of a cluster"),
        ("*0\r\n", "no slot of the cluster has a node"),
    ])
    func aServerWithoutACluster(answer: String, says: String) throws {
        let url = try ServerURL("redis-stream+cluster://h:1")
        let backend = try ClusterBackend(url, options: options)
        var talk = RedisConversation(backend.makeSession(nonce: "n"), to: endpoint(1))
        try talk.answer(Self.hello + answer)
        if talk.rejections.isEmpty {
            talk.open(Self.bells, to: endpoint(1))
            try talk.answer(Self.hello, on: Self.bells)
        }
        #expect(talk.rejections.first?.message.contains(says) == true)
    }

    /// Every kind of value, in every phase, on every lane: it moves or throws.
    @Test func everyValueInEveryPhaseMovesOrThrows() throws {
        let more = [
            "-MOVED 1 h:9\r\n", "-MOVED 3300 h:2\r\n", "-ASK 1 h:9\r\n", "-CLUSTERDOWN x\r\n",
            "-CROSSSLOT x\r\n", "-NOGROUP x\r\n", "-UNBLOCKED x\r\n", "-READONLY x\r\n", Self.table,
            "$3\r\n6-0\r\n",
        ]
        let page = HistoryRequest(ticket: 9, channel: topic("b", 0), kind: .start(.last(3)))
        let prepared = try subscribed()
        for bytes in respVectors.map(\.bytes) + more {
            for prepare in 0..<4 {
                for lane in [Lane.main, prepare == 0 ? Self.bells : Self.other] {
                    var talk = prepared
                    if prepare == 1 { talk.perform(.read([page])) }
                    if prepare == 2 {
                        talk.perform(publish(1, "b"))
                        talk.perform(publish(2, "a"))
                    }
                    if prepare == 3 { talk.perform(.close) }
                    do {
                        for _ in 0..<3 { try talk.answer(bytes, on: lane) }
                        for _ in 0..<4 { try talk.wait(.seconds(30)) }
                    } catch {}
                }
            }
        }
    }
}
