import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// A real master with replicas and sentinels, whose role moves.
@Suite(
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
    .serialized, .timeLimit(.minutes(3)))
struct SentinelTests {
    /// Reads up to so many messages behind the next gap. Fails where numbers are missing, or come twice, elsewhere.
    private func follow(_ sight: inout Sight, from first: Int, past gap: String) async throws -> Int
    {
        var (last, hasGap, rest) = (first, false, 20)
        while rest > 0 {
            let seen = try await sight.next()
            if seen.hasPrefix("gap") {
                #expect(!hasGap, "a second gap: \(seen)")
                #expect(seen.hasPrefix(gap), "\(seen)")
                hasGap = true
                continue
            }
            let number = try #require(Int(seen), "\(seen)")
            if !hasGap {
                #expect(number == last + 1 || last == 0, "\(last) and then \(number)")
            } else {
                #expect(number > last || rest == 20, "\(last) and then \(number)")
                if rest < 20 { #expect(number == last + 1, "\(last) and then \(number)") }
                rest -= 1
            }
            last = number
        }
        return last
    }

    /// The old master lives, and tells its clients nothing for 10 s: the sentinels do.
    @Test func aFailoverByCommandIsFollowedAtOnceAndIsOneGap() async throws {
        let set = try await SentinelSet()
        let url = set.url().patient
        let (subscriber, publisher) = (try Broadcast(url), try Broadcast(url))
        try await subscriber.connect()
        try await publisher.connect()
        var sight = Sight(try await subscriber.subscribe(to: "c"))
        let publishing = publisher.publishNumbers(to: "c")
        defer { publishing.cancel() }
        var last = 0
        for round in 1...2 {
            let old = try await set.master()
            // Refused as long as the last one is not over.
            let start = ContinuousClock.now
            while try await set.ask(set.ports[round], "SENTINEL", "FAILOVER", SentinelSet.service)
                .first != "OK"
            {
                await Task.yield()
            }
            let begun = ContinuousClock.now
            last = try await follow(&sight, from: last, past: "gap reconnected")
            let time = ContinuousClock.now - begun
            // Without the sentinels' word it takes more than 10 s.
            #expect(time < .seconds(8), "\(time), after \(begun - start)")
            let new = try await set.master()
            #expect(new?.port != old?.port)
        }
        await publisher.disconnect()
        await subscriber.disconnect()
    }

    /// The replicas have all: a subscriber of a stream goes on at the new master where it stood.
    @Test func aFailoverThatLosesNothingIsNoGapOfAStream() async throws {
        let set = try await SentinelSet()
        let broadcast = try Broadcast(set.url(scheme: "redis-stream+sentinel").patient)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        try await broadcast.publish(contentsOf: (1...100).map { "\($0)" }, to: "c")
        for server in set.servers {
            while try await server.command("XLEN", "c") != ["100"] { await Task.yield() }
        }
        while try await set.ask(set.ports[0], "SENTINEL", "FAILOVER", SentinelSet.service).first
            != "OK"
        {
            await Task.yield()
        }
        while broadcast.statistics.reconnects == 0 { await Task.yield() }
        await broadcast.waitFor { if case .ready = $0 { true } else { false } }
        try await broadcast.publish(contentsOf: (101...200).map { "\($0)" }, to: "c")
        #expect(try await subscription.take(200).map(\.text) == (1...200).map { "\($0)" })
        await broadcast.disconnect()
    }

    @Test func aMasterThatIsKilledIsOneGap() async throws {
        let set = try await SentinelSet()
        let url = set.url().patient
        let (subscriber, publisher) = (try Broadcast(url), try Broadcast(url))
        try await subscriber.connect()
        try await publisher.connect()
        var sight = Sight(try await subscriber.subscribe(to: "c"))
        let publishing = publisher.publishNumbers(to: "c")
        defer { publishing.cancel() }
        // One of the sentinels is gone too.
        await set.endSentinel(0)
        let begun = ContinuousClock.now
        await set.servers[0].kill()
        _ = try await follow(&sight, from: 0, past: "gap reconnected")
        let time = ContinuousClock.now - begun
        #expect(time < .seconds(10), "\(time)")
        await publisher.disconnect()
        await subscriber.disconnect()
    }

    @Test func whatWasFoundAndWhatWasNotIsSaid() async throws {
        let set = try await SentinelSet()
        let master = "127.0.0.1:\(set.servers[0].port)"
        for (url, says) in [
            (set.url(), "master of \"mymaster\" at \(master), RESP3"),
            (set.url("protocol=2"), "master of \"mymaster\" at \(master), RESP2"),
            (set.url(scheme: "redis-stream+sentinel"), "master of \"mymaster\" at \(master)"),
        ] {
            let broadcast = try Broadcast(url.patient)
            try await broadcast.connect()
            #expect("\(broadcast.status)".contains(says), "\(broadcast.status)")
            try await broadcast.publish("x", to: "c")
            await broadcast.disconnect()
        }
        let port = try FreePort.find()
        let sentinel = "redis-sentinel://127.0.0.1:\(set.ports[0])"
        for (url, status, says) in [
            ("\(sentinel)?master=other", 77, "watches no master called \"other\""),
            ("\(sentinel),127.0.0.1:\(port)?master=other", 69, ""),
            ("redis-sentinel://127.0.0.1:\(port)", 69, "ECONNREFUSED"),
            ("redis-sentinel://\(master)", 77, "this is no sentinel"),
            ("\(sentinel)?sentinel_password=wrong", 77, "sentinel_password"),
        ] as [(String, Int32, String)] {
            let process = try ServerProcess([Programs.broadcast, "ping", "--url", url])
            let lines = await process.remainingLines()
            #expect(await process.waitForExit() == status, "\(url): \(lines)")
            #expect(lines.last?.contains(says) == true, "\(url): \(lines)")
        }
        // Demoted by hand, and the sentinels have not noticed.
        _ = try await set.servers[0].command("REPLICAOF", "127.0.0.1", "\(set.servers[1].port)")
        let process = try ServerProcess([
            Programs.broadcast, "ping", "--url", sentinel + "?connect_timeout=700ms",
        ])
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() != 0)
        #expect(lines.last?.contains("is a replica") == true, "\(lines)")
    }
}
