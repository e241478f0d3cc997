import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// A real cluster whose slots move, and whose nodes die.
@Suite(
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
    .serialized, .timeLimit(.minutes(3)))
struct ClusterTests {
    /// Reads so many numbers. They follow each other, except behind a gap. The result is the gaps.
    private func read(_ count: Int, _ sight: inout Sight) async throws -> [String] {
        var (last, gaps, isNew) = (0, [String](), true)
        var left = count
        while left > 0 {
            let seen = try await sight.next()
            if seen.hasPrefix("gap") {
                gaps.append(seen)
                isNew = true
                continue
            }
            let number = try #require(Int(seen), "\(seen)")
            #expect(isNew ? number > last : number == last + 1, "\(last) and then \(number)")
            (last, isNew, left) = (number, false, left - 1)
        }
        return gaps
    }

    /// Reads until there was a gap, and so many numbers behind it.
    private func readPastGap(_ sight: inout Sight, _ count: Int = 20) async throws -> String {
        var seen = ""
        repeat { seen = try await sight.next() } while !seen.hasPrefix("gap")
        #expect(try await read(count, &sight).isEmpty)
        return seen
    }

    @Test func shardedChannelsLiveOnTheirNodesAndMove() async throws {
        let cluster = try await RedisCluster()
        let url = cluster.url("sharded=true").patient
        let (subscriber, publisher) = (try Broadcast(url), try Broadcast(url))
        try await subscriber.connect()
        try await publisher.connect()
        #expect("\(subscriber.status)".contains("16384 of 16384 slots served; master 127.0.0.1:"))
        let channels = try await cluster.channels()
        try #require(channels.count == 3)
        var sights: [Sight] = []
        for (channel, _) in channels {
            sights.append(Sight(try await subscriber.subscribe(to: channel)))
        }
        for (index, (channel, owner)) in channels.enumerated() {
            #expect(try await owner.command("PUBSUB", "SHARDCHANNELS").contains(channel))
            #expect(try await publisher.publish("hello", to: channel).receivers == 1)
            #expect(try await sights[index].next() == "hello")
        }
        let publishing = channels.map { publisher.publishNumbers(to: $0.channel) }
        defer { for task in publishing { task.cancel() } }
        // A slot moves under load: its channel alone has a gap.
        let slot = try await channels[0].owner.command("CLUSTER", "KEYSLOT", channels[0].channel)
        try await cluster.move(
            (slot.last ?? "").filter(\.isNumber), from: channels[0].owner, to: channels[1].owner)
        let gap = try await readPastGap(&sights[0])
        #expect(gap.contains("moved"), "\(gap)")
        #expect(try await read(20, &sights[1]).isEmpty)
        #expect(try await read(20, &sights[2]).isEmpty)
        // A node dies: the channels of the others go on meanwhile.
        await channels[2].owner.kill()
        #expect(try await read(50, &sights[0]).isEmpty)
        #expect(try await read(50, &sights[1]).isEmpty)
        let dead = try await readPastGap(&sights[2])
        #expect(dead.contains("\(channels[2].owner.port)"), "\(dead)")
        #expect(subscriber.statistics.reconnects == 0)
        await publisher.disconnect()
        await subscriber.disconnect()
    }

    @Test func classicChannelsGoThroughOneNode() async throws {
        let cluster = try await RedisCluster()
        let url = cluster.url().patient
        let broadcast = try Broadcast(url)
        try await broadcast.connect()
        var sight = Sight(try await broadcast.subscribe(toPatterns: "c*"))
        for server in cluster.servers {
            _ = try await server.command("PUBLISH", "c", "from \(server.port)")
            #expect(try await sight.next() == "from \(server.port)")
        }
        await broadcast.disconnect()
        let error = await #expect(throws: BroadcastError.self) {
            try await withBroadcast(cluster.url("sharded=true").patient) { broadcast in
                _ = try await broadcast.subscribe(toPatterns: "c*")
            }
        }
        #expect(error?.description.contains("no patterns") == true)
    }
}
