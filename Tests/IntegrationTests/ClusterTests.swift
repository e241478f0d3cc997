import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Synchronization
import Testing

extension SetsOfServers {
    /// A real cluster whose slots move, and whose nodes die.
    @Suite(
        .enabled(
            if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
        .serialized, .timeLimit(.minutes(4)))
    struct ClusterTests {
        /// A cluster with a channel on each of its masters, to which numbers are published.
        private struct Load {
            let channels: [(channel: String, owner: RedisServer)]
            let subscriber: Broadcast
            let publisher: Broadcast
            var readers: [NumberReader] = []
            private var publishing: [Task<Void, Never>] = []

            init(
                _ cluster: RedisCluster, _ url: String,
                options: BroadcastOptions = BroadcastOptions()
            ) async throws {
                subscriber = try Broadcast(url.patient, options: options)
                publisher = try Broadcast(url.patient, options: options)
                try await subscriber.connect()
                try await publisher.connect()
                channels = try await cluster.channels()
                try #require(channels.count == 3)
                for (channel, _) in channels {
                    readers.append(try await NumberReader(channel, of: subscriber))
                    publishing.append(publisher.publishNumbers(to: channel))
                }
                for place in readers.indices { try await readers[place].read(20) }
            }

            func end() async {
                for task in publishing { task.cancel() }
                await publisher.disconnect()
                await subscriber.disconnect()
            }
        }

        @Test func shardedChannelsLiveOnTheirNodesAndMove() async throws {
            let cluster = try await RedisCluster()
            var load = try await Load(cluster, cluster.url("sharded=true"))
            #expect(
                "\(load.subscriber.status)".contains(
                    "16384 of 16384 slots served; master 127.0.0.1:"))
            let channels = load.channels
            for (channel, owner) in channels {
                #expect(try await owner.command("PUBSUB", "SHARDCHANNELS").contains(channel))
            }
            #expect(load.subscriber.statistics.unserved == 0)
            // A slot moves under load: its channel alone has a gap.
            try await cluster.move(
                slotOf: channels[0].channel, from: channels[0].owner, to: channels[1].owner)
            let gap = try await load.readers[0].readPastGap()
            #expect(gap.contains("moved"), "\(gap)")
            for place in [1, 2] { try await load.readers[place].read(20) }
            // A node dies: the channels of the others go on meanwhile.
            await channels[2].owner.kill()
            while load.subscriber.statistics.unserved != 1 { try await load.readers[0].read(1) }
            for place in [0, 1] { try await load.readers[place].read(50) }
            let dead = try await load.readers[2].readPastGap()
            #expect(dead.contains("\(channels[2].owner.port)"), "\(dead)")
            #expect(load.readers.map(\.gaps.count) == [1, 0, 1])
            #expect(load.subscriber.statistics.reconnects == 0)
            #expect(load.subscriber.statistics.unserved == 0)
            await load.end()
        }

        /// A node that is stopped closes nothing. Its channels go on at its replica, and the others meanwhile; and the password
        /// that the program gives is the one of that moment.
        @Test func aNodeThatHangsIsLeftAndAPasswordMayChange() async throws {
            let cluster = try await RedisCluster(["--requirepass", "one", "--masterauth", "one"])
            let word = Word("one")
            var options = BroadcastOptions()
            options.password = { _ in word.text }
            let url = cluster.url("sharded=true&ping=1s")
            var load = try await Load(cluster, url, options: options)
            for server in cluster.servers { try await server.change(password: "two") }
            word.text = "two"
            await load.channels[2].owner.signal(SIGSTOP, waits: false)
            for place in [0, 1] { try await load.readers[place].read(50) }
            let gap = try await load.readers[2].readPastGap()
            #expect(gap.contains("silent"), "\(gap)")
            #expect(load.readers.map(\.gaps.count) == [0, 0, 1])
            await load.channels[2].owner.signal(SIGCONT, waits: false)
            await load.end()
        }

        @Test func aNodeIsAddedAndTakenAway() async throws {
            let cluster = try await RedisCluster()
            var load = try await Load(cluster, cluster.url("sharded=true"))
            let (channel, owner) = load.channels[0]
            let added = try await cluster.add()
            try await cluster.move(slotOf: channel, from: owner, to: added)
            #expect(try await load.readers[0].readPastGap().contains("moved"))
            #expect(try await added.command("PUBSUB", "SHARDCHANNELS").contains(channel))
            try await cluster.move(slotOf: channel, from: added, to: owner)
            #expect(try await load.readers[0].readPastGap().contains("moved"))
            try await cluster.forget(added)
            await added.kill()
            for place in load.readers.indices { try await load.readers[place].read(50) }
            // A node that has not heard of a move yet may send the client back once.
            #expect((2...3).contains(load.readers[0].gaps.count))
            #expect(load.readers.dropFirst().map(\.gaps.count) == [0, 0])
            #expect(load.subscriber.statistics.reconnects == 0)
            await load.end()
        }

        /// Readers go on where they stood: a slot that moves is no gap, and neither is a node that dies, unless its replica lacks
        /// what was read.
        @Test func streamsLiveOnTheirNodesAndMove() async throws {
            let cluster = try await RedisCluster()
            let url = cluster.url("max_length=1000000", scheme: "redis-stream+cluster")
            var load = try await Load(cluster, url)
            let channels = load.channels
            for (channel, owner) in channels {
                #expect(try await owner.command("EXISTS", channel).last?.contains("1") == true)
            }
            try await cluster.move(
                slotOf: channels[0].channel, from: channels[0].owner, to: channels[1].owner,
                keys: [channels[0].channel])
            for place in load.readers.indices { try await load.readers[place].read(100) }
            #expect(load.readers.map(\.gaps.count) == [0, 0, 0])
            let page = try await load.publisher.history(of: channels[0].channel, .oldest, limit: 5)
            #expect(page.messages.map(\.text) == ["1", "2", "3", "4", "5"])
            await channels[2].owner.kill()
            for place in [0, 1] { try await load.readers[place].read(50) }
            let before = load.readers[2].last
            while load.readers[2].last < before + 500 {
                try await load.readers[2].read(1, isComplete: false)
            }
            #expect(
                load.readers[2].gaps.allSatisfy { $0 == "gap reset" }, "\(load.readers[2].gaps)")
            #expect(load.readers[0].gaps.isEmpty && load.readers[1].gaps.isEmpty)
            #expect(load.subscriber.statistics.reconnects == 0)
            await load.end()
        }

        @Test func classicChannelsGoThroughOneNode() async throws {
            let cluster = try await RedisCluster()
            try await cluster.waitForReplicas()
            // One node is named, and the others are learnt from it.
            let home = cluster.servers[0]
            let broadcast = try Broadcast("redis-cluster://127.0.0.1:\(home.port)".patient)
            try await broadcast.connect()
            let status = "\(broadcast.status)"
            for server in cluster.servers {
                #expect(status.contains(":\(server.port)"), "\(status)")
            }
            #expect(status.contains("16384 of 16384 slots served; master 127.0.0.1:"), "\(status)")
            var sight = Sight(try await broadcast.subscribe(toPatterns: "c*"))
            for server in cluster.servers {
                _ = try await server.command("PUBLISH", "c", "from \(server.port)")
                #expect(try await sight.next() == "from \(server.port)")
            }
            await home.kill()
            #expect(try await sight.next().hasPrefix("gap reconnected"))
            _ = try await cluster.servers[5].command("PUBLISH", "c", "on")
            #expect(try await sight.next() == "on")
            await broadcast.disconnect()
            let error = await #expect(throws: BroadcastError.self) {
                try await withBroadcast(cluster.url("sharded=true").patient) { broadcast in
                    _ = try await broadcast.subscribe(toPatterns: "c*")
                }
            }
            #expect(error?.description.contains("no patterns") == true)
        }

        @Test(.enabled(if: Certificates.areAvailable, "needs openssl and faketime"))
        func nodesSpeakTLS() async throws {
            let cluster = try await RedisCluster(certificate: "good")
            try await cluster.waitForReplicas()
            let authority = "ssl_ca_certs=\(Certificates.certificate("ca"))"
            let url = cluster.url("sharded=true&\(authority)", scheme: "rediss-cluster")
            var load = try await Load(cluster, url)
            let status = "\(load.subscriber.status)"
            #expect(
                status.contains("TLSv1.") && status.contains(":\(cluster.servers[0].securePort)"))
            try await cluster.move(
                slotOf: load.channels[0].channel, from: load.channels[0].owner,
                to: load.channels[1].owner)
            #expect(try await load.readers[0].readPastGap().contains("moved"))
            await load.end()
            for query in [authority, authority + "&sharded=true"] {
                let lines = try ServerProcess([
                    Programs.broadcast, "ping", "--url",
                    cluster.url(query, scheme: "rediss-cluster"),
                ])
                let text = await lines.remainingLines().joined()
                for server in cluster.servers {
                    #expect(text.contains(":\(server.securePort)"), "\(text)")
                }
            }
        }
    }
}
/// A password that changes.
private final class Word: Sendable {
    private let state: Mutex<String>

    init(_ text: String) {
        state = Mutex(text)
    }

    var text: String {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
