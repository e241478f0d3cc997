import Broadcaster
import BroadcasterTestSupport
import Testing

/// What may happen to a stream while somebody reads it, on a real server.
@Suite(
    .takesTurns,
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"))
struct RedisStreamTests {
    /// Runs `body` with a broadcast over a new server's streams.
    private func run(
        _ options: String = "", _ body: (RedisServer, Broadcast) async throws -> Void
    ) async throws {
        let server = try await RedisServer()
        let broadcast = try Broadcast((server.streamURL + options).patient)
        try await broadcast.connect()
        try await body(server, broadcast)
        await broadcast.disconnect()
    }

    /// The events of a subscription in words.
    private func events(_ count: Int, of subscription: Subscription) async throws -> [String] {
        var words: [String] = []
        var iterator = subscription.events.makeAsyncIterator()
        while words.count < count, let event = try await iterator.next() {
            switch event {
            case .message(let message): words.append(message.text)
            case .gap(let gap): words.append("\(gap.reason)")
            }
        }
        return words
    }

    @Test func foreignEntriesAreRead() async throws {
        try await run { server, broadcast in
            let subscription = try await broadcast.subscribe(to: "c")
            _ = try await server.command("XADD", "c", "*", "message", "one", "other", "x")
            _ = try await server.command("XADD", "c", "*", "other", "x")
            _ = try await server.command("XADD", "c", "*", "a", "b", "message", "two")
            #expect(try await events(3, of: subscription) == ["one", "", "two"])
        }
    }

    @Test func aStreamThatIsTrimmedUnderAReaderIsAGap() async throws {
        try await run { server, broadcast in
            try await broadcast.publish(contentsOf: (1...300).map { "\($0)" }, to: "c")
            let page = try await broadcast.history(of: "c", .oldest, limit: 50)
            let place = try #require(page.next)
            _ = try await server.command("XTRIM", "c", "MAXLEN", "=", "100")
            let subscription = try await broadcast.subscribe(to: "c", history: .after(place))
            #expect(try await events(2, of: subscription) == ["trimmed", "201"])
            let behind = try await broadcast.history(of: "c", .after(place), limit: 1)
            #expect(behind.gap?.reason == .trimmed && behind.messages.first?.text == "201")
        }
    }

    @Test func trimmingInOneTransactionIsAGap() async throws {
        try await run { server, broadcast in
            try await broadcast.publish("1", to: "c")
            let subscription = try await broadcast.subscribe(to: "c", history: .last(1))
            #expect(try await events(1, of: subscription) == ["1"])
            let script =
                "for i = 2, 21 do redis.call('XADD', KEYS[1], 'MAXLEN', '=', '5', '*', 'message', i) end"
            _ = try await server.command("EVAL", script, "1", "c")
            #expect(
                try await events(6, of: subscription) == ["trimmed", "17", "18", "19", "20", "21"])
        }
    }

    @Test(arguments: ["9999999999999-1", "*"])
    func aStreamThatIsMadeAnewIsAGap(id: String) async throws {
        try await run { server, broadcast in
            try await broadcast.publish("old", to: "c")
            let subscription = try await broadcast.subscribe(to: "c", history: .last(1))
            #expect(try await events(1, of: subscription) == ["old"])
            _ = try await server.command("DEL", "c")
            _ = try await server.command("XADD", "c", id, "message", "new")
            #expect(try await events(2, of: subscription) == ["trimmed", "new"])
        }
    }

    /// XREAD stays deaf there for ever.
    @Test(.timeLimit(.minutes(2)))
    func lowerIDsAreFoundByTheSweep() async throws {
        try await run { server, broadcast in
            try await broadcast.publish("old", to: "c")
            let subscription = try await broadcast.subscribe(to: "c", history: .last(1))
            #expect(try await events(1, of: subscription) == ["old"])
            _ = try await server.command("DEL", "c")
            _ = try await server.command("XADD", "c", "2-1", "message", "before")
            #expect(try await events(1, of: subscription) == ["reset"])
            _ = try await server.command("XADD", "c", "2-2", "message", "behind")
            #expect(try await events(1, of: subscription) == ["behind"])
        }
    }

    @Test func aDeletedAnchorIsNoGap() async throws {
        try await run { server, broadcast in
            let position = try #require(try await broadcast.publish("1", to: "c").position)
            let subscription = try await broadcast.subscribe(to: "c", history: .all)
            #expect(try await events(1, of: subscription) == ["1"])
            _ = try await server.command("XDEL", "c", position.description)
            try await broadcast.publish("2", to: "c")
            #expect(try await events(1, of: subscription) == ["2"])
        }
    }

    @Test func aReplicaThatLaggedIsOneGap() async throws {
        try await run { server, broadcast in
            try await broadcast.publish(contentsOf: ["1", "2", "3"], to: "c")
            let subscription = try await broadcast.subscribe(to: "c", history: .all)
            #expect(try await events(3, of: subscription) == ["1", "2", "3"])
            // What a replica that lacks the end would have: the first entry, and another second one.
            let first = try #require(
                try await broadcast.history(of: "c", .oldest, limit: 1).messages.first?.position)
            let commands =
                "redis.call('DEL', KEYS[1]); redis.call('XADD', KEYS[1], ARGV[1], 'message', '1');"
                + " redis.call('XADD', KEYS[1], '*', 'message', 'new')"
            _ = try await server.command("EVAL", commands, "1", "c", first.description)
            #expect(try await events(2, of: subscription) == ["reset", "new"])
        }
    }

    @Test func oneWrongKeyAmongManyEndsAlone() async throws {
        try await run { server, broadcast in
            let good = try await broadcast.subscribe(to: "good")
            _ = try await server.command("SET", "bad", "x")
            await #expect(throws: BroadcastError.self) {
                _ = try await broadcast.subscribe(to: "bad")
            }
            let later = try await broadcast.subscribe(to: "later")
            _ = try await server.command("SET", "later", "x")
            // XREAD fails for all of them, and does not say for which.
            try await broadcast.publish("1", to: "good")
            #expect(try await events(1, of: good) == ["1"])
            let refusal = await #expect(throws: BroadcastError.self) {
                _ = try await events(1, of: later)
            }
            #expect(refusal?.description.contains("later") == true)
            try await broadcast.publish("2", to: "good")
            #expect(try await events(1, of: good) == ["2"])
            try await broadcast.publish("3", to: "good")
            #expect(try await events(1, of: good) == ["3"])
        }
    }

    @Test func anotherChannelIsHeardAtOnce() async throws {
        try await run { _, broadcast in
            let one = try await broadcast.subscribe(to: "one")
            for number in 0..<20 {
                let subscription = try await broadcast.subscribe(to: "c\(number)")
                try await broadcast.publish("x", to: "c\(number)")
                #expect(try await events(1, of: subscription) == ["x"])
            }
            try await broadcast.publish("y", to: "one")
            #expect(try await events(1, of: one) == ["y"])
        }
    }

    @Test func streamsDoNotGrowForEver() async throws {
        try await run("?max_length=100&max_age=1h") { server, broadcast in
            for _ in 0..<10 {
                try await broadcast.publish(contentsOf: (0..<100).map { "\($0)" }, to: "c")
            }
            let length = Int(try await server.command("XLEN", "c").first ?? "")
            #expect((100...300).contains(try #require(length)))
        }
    }

    /// Persistence is on, and the server dies again and again: nothing is lost, repeated or told as a gap.
    @Test func aServerThatDiesUnderLoadLosesNothing() async throws {
        let server = try await RedisServer([
            "--appendonly", "yes", "--appendfsync", "always",
        ])
        let broadcast = try Broadcast(server.streamURL + "?max_length=1000000")
        try await broadcast.connect()
        let load = HistoryLoad(broadcast: broadcast, isRefusedAtTimes: false)
        try await load.losesNothing(crashes: 3) {
            await server.kill()
            try await server.start()
        }
        #expect(broadcast.statistics.reconnects >= 1)
        await broadcast.disconnect()
    }
}
