import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
    maximumMessageSize: 64 << 20)

private func endpoint(_ port: UInt16) -> PeerInfo {
    PeerInfo(endpoint: .tcp(host: "h", port: port))
}

/// A session with a cluster of two nodes: `h:1` has slots 0 to 8191, `h:2` the rest. `b` lives on the first, `a` on the other.
struct ClusterSessionTests {
    private static let table =
        "*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$1\r\nh\r\n:1\r\n*3\r\n:8192\r\n:16383\r\n*2\r\n$1\r\nh\r\n:2\r\n"
    private static let hello = "%2\r\n+version\r\n+7\r\n+proto\r\n:3\r\n"
    private static let other = Lane(index: 1)

    private func open() throws -> RedisConversation {
        let url = try ServerURL("redis-cluster://h:1?sharded=true")
        let backend = try ClusterBackend(url, options: options)
        var talk = RedisConversation(backend.makeSession(nonce: "n"), to: endpoint(1))
        try talk.answer(Self.hello)
        try talk.answer(Self.table)
        #expect(talk.events.last?.hasPrefix("! ready RESP3, sharded") == true)
        _ = talk.sent()
        return talk
    }

    private func topic(_ name: String, _ id: Int = 0) -> Topic {
        Topic(id: id, name: .channel(name))
    }

    private func push(_ word: String, _ name: String) -> String {
        ">3\r\n$\(word.utf8.count)\r\n\(word)\r\n$\(name.utf8.count)\r\n\(name)\r\n:1\r\n"
    }

    /// Both nodes, with a channel on each.
    private func subscribed() throws -> RedisConversation {
        var talk = try open()
        talk.perform(.subscribe([topic("b", 0), topic("a", 1)]))
        #expect(talk.sent() == "SSUBSCRIBE b PING")
        #expect(talk.wishes() == [Self.other])
        talk.open(Self.other, to: endpoint(2))
        try talk.answer(Self.hello, on: Self.other)
        #expect(talk.sent(on: Self.other).hasSuffix("SSUBSCRIBE a PING"))
        try talk.answer(push("ssubscribe", "b") + "+PONG\r\n")
        try talk.answer(push("ssubscribe", "a") + "+PONG\r\n", on: Self.other)
        #expect(talk.events.filter { $0.hasPrefix("! subscribed") }.count == 2)
        return talk
    }

    @Test func channelsOfOneSlotShareACommandAndOthersDoNot() throws {
        var talk = try open()
        talk.perform(
            .subscribe([topic("{b}1", 0), topic("b", 1), topic("{b}2", 2), topic("events9", 3)]))
        let sent = talk.sent() + talk.sent(on: Self.other)
        #expect(sent.contains("SSUBSCRIBE {b}1 b {b}2 PING"))
    }

    @Test func messagesComeFromEachNode() throws {
        var talk = try subscribed()
        try talk.answer(">3\r\n$8\r\nsmessage\r\n$1\r\nb\r\n$1\r\nx\r\n")
        try talk.answer(">3\r\n$8\r\nsmessage\r\n$1\r\na\r\n$1\r\ny\r\n", on: Self.other)
        #expect(Array(talk.events.suffix(2)) == ["! message b x", "! message a y"])
    }

    @Test func aNodeThatDiesInterruptsItsOwnChannelsAlone() throws {
        var talk = try subscribed()
        talk.perform(.publish([Publication(ticket: 7, channel: "a", payload: .text("x"))]))
        #expect(talk.lose(Self.other) == .survived)
        #expect(talk.events.contains { $0.hasPrefix("! publish lost 7 h:2") })
        #expect(talk.events.count { $0.hasPrefix("! interrupted c: the node at h:2") } == 1)
        try talk.answer(">3\r\n$8\r\nsmessage\r\n$1\r\nb\r\n$1\r\nx\r\n")
        #expect(talk.events.last == "! message b x")
        talk.perform(.subscribe([topic("a", 1)]))
        #expect(talk.events.last == "! postponed c")
        // The table is asked until it names another node, and then that one is.
        _ = talk.sent()
        for _ in 0..<5 { try talk.wait(.milliseconds(100)) }
        #expect(talk.sent().contains("CLUSTER SLOTS"))
        _ = talk.wishes()
        let moved = "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\nh\r\n:1\r\n"
        try talk.answer(moved)
        // It is asked once more: what pointed at a change came after the last question.
        #expect(talk.sent() == "CLUSTER SLOTS SSUBSCRIBE a PING")
        try talk.answer(moved + push("ssubscribe", "a") + "+PONG\r\n")
        #expect(talk.events.last == "! subscribed c")
    }

    /// A replica that follows another master says nothing, and goes on as if it had its channels.
    @Test func aNodeThatHasOtherSlotsByTwoTablesIsLeft() throws {
        var talk = try subscribed()
        let swapped =
            "*2\r\n*3\r\n:0\r\n:8191\r\n*2\r\n$1\r\nh\r\n:2\r\n"
            + "*3\r\n:8192\r\n:16383\r\n*2\r\n$1\r\nh\r\n:1\r\n"
        try talk.wait(.seconds(60))
        for lane in [Lane.main, Self.other] where talk.sent(on: lane).contains("CLUSTER SLOTS") {
            try talk.answer(swapped, on: lane)
        }
        #expect(talk.events.last == "! changed RESP3, sharded", "one table may be old")
        try talk.wait(.milliseconds(200))
        for lane in [Lane.main, Self.other] where talk.sent(on: lane).contains("CLUSTER SLOTS") {
            try talk.answer(swapped, on: lane)
        }
        #expect(
            Array(talk.events.suffix(2)) == [
                "! interrupted c: the channel has moved from h:1",
                "! interrupted c: the channel has moved from h:2",
            ])
        talk.perform(.subscribe([topic("b", 0)]))
        #expect(talk.sent().hasPrefix("SUNSUBSCRIBE b PING"))
        #expect(talk.sent(on: Self.other).contains("SSUBSCRIBE b PING"))
    }

    /// Slots move, and lanes would gather.
    @Test func aNodeWithoutChannelsIsLetGo() throws {
        var talk = try subscribed()
        talk.perform(.unsubscribe([topic("a", 1)]))
        try talk.answer(push("sunsubscribe", "a") + "+PONG\r\n", on: Self.other)
        var finished: [Lane] = []
        _ = (talk.sent(), talk.sent(on: Self.other))
        for _ in 0..<40 {
            try talk.wait(.milliseconds(2500))
            for lane in [Lane.main, Self.other] {
                for word in talk.sent(on: lane).split(separator: " ") where word != "CLUSTER" {
                    try talk.answer(word == "SLOTS" ? Self.table : "+PONG\r\n", on: lane)
                }
            }
            finished += talk.output.takeFinished()
        }
        #expect(finished == [Self.other])
        #expect(talk.lose(Self.other) == .survived)
        #expect(!talk.events.contains { $0.hasPrefix("! interrupted") })
        talk.perform(.subscribe([topic("a", 1)]))
        #expect(talk.wishes() == [Lane(index: 2)])
    }

    /// The nodes that the URL names may all be gone when the session ends.
    @Test func theOtherNodesAreToldToTheCore() throws {
        let talk = try open()
        #expect(talk.events.first == "! learned h:1 h:2")
        let backend = try ClusterBackend(try ServerURL("redis-cluster://h:1"), options: options)
        var classic = RedisConversation(backend.makeSession(nonce: "n"), to: endpoint(1))
        try classic.answer(Self.hello)
        #expect(classic.sent().hasSuffix("CLUSTER SLOTS"))
        try classic.answer(Self.table)
        #expect(classic.events == ["! learned h:1 h:2", "! ready RESP3"])
        var another = RedisConversation(backend.makeSession(nonce: "o"), to: endpoint(1))
        try another.answer(Self.hello + Self.table)
        #expect(another.events.first == "! learned h:2 h:1", "each in its own order")
    }

    @Test(arguments: [
        ("-ERR This instance has cluster support disabled\r\n", "! rejected unsuitable"),
        ("-NOPERM no\r\n", "! ready"), ("-ERR unknown command\r\n", "! ready"),
        ("*0\r\n", "! ready"), ("+OK\r\n", "! ready"),
    ])
    func whatAClassicNodeSaysOfItsCluster(answer: String, event: String) throws {
        let backend = try ClusterBackend(try ServerURL("redis-cluster://h:1"), options: options)
        var classic = RedisConversation(backend.makeSession(nonce: "n"), to: endpoint(1))
        try classic.answer(Self.hello + answer)
        #expect(classic.events.count == 1)
        #expect(classic.events.first?.hasPrefix(event) == true, "\(classic.events)")
    }

    @Test func theLastNodeIsTheSession() throws {
        var talk = try open()
        #expect(talk.lose(.main) == .ended)
    }

    @Test func aSlotThatMovesInterruptsItsChannel() throws {
        var talk = try subscribed()
        try talk.answer(push("sunsubscribe", "b"))
        #expect(talk.events.last == "! interrupted c: the channel has moved from h:1")
        talk.perform(.subscribe([topic("b", 0)]))
        #expect(talk.sent() == "SSUBSCRIBE b PING")
        // Not yet in our table: the old node says where.
        try talk.answer("-MOVED 3300 h:2\r\n+PONG\r\n")
        #expect(talk.sent(on: Self.other) == "SSUBSCRIBE b PING")
        try talk.answer(push("ssubscribe", "b") + "+PONG\r\n", on: Self.other)
        #expect(talk.events.last == "! subscribed c")
    }

    /// The push crosses our SUNSUBSCRIBE, and looks like its answer (valkey issue 1066).
    @Test func anEndThatCrossesOursIsNoInterruption() throws {
        var talk = try subscribed()
        talk.perform(.unsubscribe([topic("b", 0)]))
        #expect(talk.events.last == "! unsubscribed c")
        let count = talk.events.count
        try talk.answer(push("sunsubscribe", "b") + "-MOVED 3300 h:2\r\n+PONG\r\n")
        talk.perform(.ping)
        // Each node in its turn.
        let asked = talk.sent(on: Self.other) == "PING" ? Self.other : .main
        try talk.answer("+PONG\r\n", on: asked)
        #expect(talk.events.count == count + 1)
        #expect(talk.events.last == "! answered")
    }

    @Test func aMessageThatIsRedirectedIsSentAgainAndNoneOvertakesIt() throws {
        var talk = try subscribed()
        func publish(_ tickets: ClosedRange<UInt64>) {
            talk.perform(
                .publish(
                    tickets.map {
                        Publication(ticket: $0, channel: "b", payload: .text("m\($0)"))
                    }))
        }
        publish(1...2)
        #expect(talk.sent() == "SPUBLISH b m1 SPUBLISH b m2")
        try talk.answer("-MOVED 3300 h:2\r\n")
        publish(3...3)
        #expect(talk.sent(on: Self.other) == "", "the second may still be published by the first")
        try talk.answer("-MOVED 3300 h:2\r\n")
        #expect(talk.sent(on: Self.other) == "SPUBLISH b m1 SPUBLISH b m2 SPUBLISH b m3")
        try talk.answer(":1\r\n:1\r\n:0\r\n", on: Self.other)
        #expect(
            Array(talk.events.suffix(3)) == (1...3).map { "! published \($0) \($0 == 3 ? 0 : 1)" })
    }

    @Test func aCircleOfRedirectionsEnds() throws {
        var talk = try subscribed()
        talk.perform(.publish([Publication(ticket: 1, channel: "b", payload: .text("x"))]))
        for _ in 0..<5 {
            try talk.answer("-MOVED 3300 h:2\r\n")
            try talk.answer("-MOVED 3300 h:1\r\n", on: Self.other)
            if talk.events.last?.contains("circle") == true { break }
        }
        #expect(talk.events.last == "! publish refused 1 the nodes send it in a circle")
    }

    @Test(arguments: ["-CLUSTERDOWN Hash slot not served\r\n", "-TRYAGAIN x\r\n"])
    func aSlotWithoutANodeIsTriedAgainInAMoment(answer: String) throws {
        var talk = try subscribed()
        talk.perform(
            .publish([
                Publication(
                    ticket: 1, channel: "b", payload: .text("x"), deadline: talk.now + .seconds(5))
            ]))
        _ = talk.sent()
        try talk.answer(answer)
        #expect(!talk.sent().contains("SPUBLISH"))
        try talk.wait(.milliseconds(150))
        #expect(talk.sent().contains("SPUBLISH b x"))
        try talk.answer(answer)
        talk.now = talk.now + .seconds(5)
        try talk.wait(.zero)
        #expect(talk.events.last?.hasPrefix("! publish refused 1 no node") == true)
    }

    @Test func askIsFollowedOnceBehindASKING() throws {
        var talk = try subscribed()
        talk.perform(.publish([Publication(ticket: 1, channel: "b", payload: .text("x"))]))
        try talk.answer("-ASK 3300 h:2\r\n")
        #expect(talk.sent(on: Self.other) == "ASKING SPUBLISH b x")
        try talk.answer("+OK\r\n:1\r\n", on: Self.other)
        #expect(talk.events.last == "! published 1 1")
    }

    @Test(arguments: [
        ("-ERR This instance has cluster support disabled\r\n", "is no node of a cluster"),
        ("*0\r\n", "no slot of the cluster has a node"),
    ])
    func aServerWithoutACluster(answer: String, says: String) throws {
        let url = try ServerURL("redis-cluster://h:1?sharded=true")
        let backend = try ClusterBackend(url, options: options)
        var talk = RedisConversation(backend.makeSession(nonce: "n"), to: endpoint(1))
        try talk.answer(Self.hello + answer)
        #expect(talk.rejections.first?.message.contains(says) == true)
    }

    @Test func patternsAreRefusedWithReason() throws {
        let sharded = try ClusterBackend(
            try ServerURL("redis-cluster://h?sharded=true"), options: options)
        #expect(sharded.refusal(of: .pattern("a*"))?.contains("no patterns") == true)
        let classic = try ClusterBackend(try ServerURL("redis-cluster://h"), options: options)
        #expect(classic.refusal(of: .pattern("a*")) == nil)
    }

    /// Every kind of value, in every phase, on either lane: it moves or throws.
    @Test func everyValueInEveryPhaseMovesOrThrows() throws {
        let more = [
            push("sunsubscribe", "b"), push("ssubscribe", "other"), ">1\r\n$8\r\nsmessage\r\n",
            ">3\r\n$12\r\nsunsubscribe\r\n_\r\n:0\r\n", "-MOVED 1 h:9\r\n", "-MOVED 1 ?:9\r\n",
            "-ASK 1 h:9\r\n", "-CLUSTERDOWN x\r\n", "-CROSSSLOT x\r\n", Self.table,
            "*1\r\n*3\r\n:0\r\n:99999\r\n*0\r\n", ">0\r\n",
        ]
        let prepared = try subscribed()
        for bytes in respVectors.map(\.bytes) + more {
            for prepare in 0..<4 {
                for lane in [Lane.main, Self.other] {
                    var talk = prepared
                    if prepare == 1 { talk.perform(.subscribe([topic("{b}x", 5)])) }
                    if prepare == 2 {
                        talk.perform(
                            .publish([Publication(ticket: 1, channel: "b", payload: .text("x"))]))
                        talk.perform(
                            .publish([Publication(ticket: 2, channel: "a", payload: .text("x"))]))
                    }
                    if prepare == 3 { talk.perform(.close) }
                    do {
                        for _ in 0..<3 { try talk.answer(bytes, on: lane) }
                        for _ in 0..<20 { try talk.wait(.seconds(1)) }
                    } catch {}
                }
            }
        }
    }
}
