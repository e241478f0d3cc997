import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

extension SetsOfServers {
    /// A real master with replicas and sentinels, whose role moves.
    @Suite(
        .enabled(
            if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
        .serialized, .timeLimit(.minutes(3)))
    struct SentinelTests {
        /// Runs `body` beside a publisher of numbers, with a reader of them.
        private func run(
            _ set: SentinelSet, _ url: String,
            _ body: (inout NumberReader, Broadcast) async throws -> Void
        ) async throws {
            let (subscriber, publisher) = (try Broadcast(url.patient), try Broadcast(url.patient))
            try await subscriber.connect()
            try await publisher.connect()
            var reader = try await NumberReader("c", of: subscriber)
            let publishing = publisher.publishNumbers(to: "c")
            try await reader.read(20)
            do {
                try await body(&reader, subscriber)
            } catch {
                publishing.cancel()
                throw error
            }
            publishing.cancel()
            await publisher.disconnect()
            await subscriber.disconnect()
        }

        /// Reads past the one gap of a failover. Its hole ends soon after the promotion: on a quiet machine within 2 s.
        private func followFailover(
            _ set: SentinelSet, from old: RedisServer, _ reader: inout NumberReader
        ) async throws {
            let promotion = Task {
                _ = try await set.promotion(besides: old)
                return ContinuousClock.now
            }
            #expect(try await reader.readPastGap(1).hasPrefix("gap reconnected"))
            let time = ContinuousClock.now - (try await promotion.value)
            print("back \(time) after the promotion")
            // Without the sentinels' word it takes more than 10 s where the old master lives.
            #expect(time < .seconds(8), "\(time)")
            try await reader.read(20)
        }

        /// The old master lives, and tells its clients nothing for 10 s: the sentinels do.
        @Test func aFailoverByCommandIsFollowedAtOnceAndIsOneGap() async throws {
            let set = try await SentinelSet()
            try await run(set, set.url()) { reader, _ in
                for round in 1...2 {
                    let old = try #require(try await set.master())
                    // Refused as long as the last one is not over.
                    while try await set.ask(
                        set.ports[round], "SENTINEL", "FAILOVER", SentinelSet.service
                    )
                    .first != "OK" { await lookAgain() }
                    try await followFailover(set, from: old, &reader)
                    #expect(try await set.master() !== old)
                }
                #expect(reader.gaps.count == 2)
            }
        }

        /// The replicas have all: a subscriber of a stream goes on at the new master where it stood.
        @Test func aFailoverThatLosesNothingIsNoGapOfAStream() async throws {
            let set = try await SentinelSet()
            let broadcast = try Broadcast(set.url(scheme: "redis-stream+sentinel").patient)
            try await broadcast.connect()
            let subscription = try await broadcast.subscribe(to: "c")
            try await broadcast.publish(contentsOf: (1...100).map { "\($0)" }, to: "c")
            for server in set.servers {
                while try await server.command("XLEN", "c") != ["100"] { await lookAgain() }
            }
            while try await set.ask(set.ports[0], "SENTINEL", "FAILOVER", SentinelSet.service).first
                != "OK"
            {
                await lookAgain()
            }
            while broadcast.statistics.reconnects == 0 { await lookAgain() }
            await broadcast.waitFor { if case .ready = $0 { true } else { false } }
            try await broadcast.publish(contentsOf: (101...200).map { "\($0)" }, to: "c")
            #expect(try await subscription.take(200).map(\.text) == (1...200).map { "\($0)" })
            await broadcast.disconnect()
        }

        @Test func aMasterThatIsKilledIsOneGap() async throws {
            let set = try await SentinelSet()
            try await run(set, set.url()) { reader, _ in
                // One of the sentinels is gone too.
                await set.endSentinel(0)
                await set.servers[0].kill()
                try await followFailover(set, from: set.servers[0], &reader)
            }
        }

        /// As a partition that heals: the old master says nothing, and comes back as one.
        @Test func aMasterThatHangsIsLeftAndItsReturnIsNothing() async throws {
            let set = try await SentinelSet()
            try await run(set, set.url("ping=1000s")) { reader, _ in
                await set.servers[0].signal(SIGSTOP, waits: false)
                try await followFailover(set, from: set.servers[0], &reader)
                await set.servers[0].signal(SIGCONT, waits: false)
                while try await set.servers[0].command("ROLE").first != "slave" {
                    try await reader.read(10)
                }
                try await reader.read(20)
                #expect(reader.gaps.count == 1, "\(reader.gaps)")
            }
        }

        /// Readers go on where they stood: what the old master had not passed on is lost there, and told where it was read.
        @Test func streamsGoOnAtTheNextMaster() async throws {
            let set = try await SentinelSet()
            let url = set.url(scheme: "redis-stream+sentinel")
            try await run(set, url) { reader, subscriber in
                await set.servers[0].kill()
                let new = try await set.promotion(besides: set.servers[0])
                let length = Int(try await new.command("XLEN", "c").first ?? "") ?? 0
                while subscriber.statistics.reconnects == 0 {
                    try await reader.read(1, isComplete: false)
                }
                try await reader.read(50, isComplete: false)
                #expect(length >= 20)
                #expect(reader.gaps.allSatisfy { $0 == "gap reset" }, "\(reader.gaps)")
                #expect(reader.gaps.count <= 1)
            }
        }

        @Test(.enabled(if: Certificates.areAvailable, "needs openssl and faketime"))
        func masterAndSentinelsSpeakTLS() async throws {
            let set = try await SentinelSet(certificate: "good")
            let authority = "ssl_ca_certs=\(Certificates.certificate("ca"))"
            try await run(set, set.url(authority, scheme: "rediss-sentinel")) {
                reader, subscriber in
                #expect("\(subscriber.status)".contains("TLSv1."), "\(subscriber.status)")
                await set.servers[0].kill()
                try await followFailover(set, from: set.servers[0], &reader)
            }
        }

        @Test func whatWasFoundAndWhatWasNotIsSaid() async throws {
            let set = try await SentinelSet()
            let master = "127.0.0.1:\(set.servers[0].port)"
            for (url, says) in [
                (set.url(), "master of \"mymaster\" at \(master); replica 127.0.0.1:"),
                (set.url("protocol=2"), "master of \"mymaster\" at \(master); replica 127.0.0.1:"),
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
            // The URL names one sentinel, and that one the others.
            let shown = [
                "sentinel 127.0.0.1:\(set.ports[1])", "replica 127.0.0.1:\(set.servers[2].port)",
            ]
            for word in shown {
                let lines = try await ping(sentinel, status: 0)
                #expect(lines.first?.contains(word) == true, "\(lines)")
            }
            for (url, status, says) in [
                ("\(sentinel)?master=other", 77, "watches no master called \"other\""),
                ("\(sentinel),127.0.0.1:\(port)?master=other", 69, ""),
                ("redis-sentinel://127.0.0.1:\(port)", 69, "ECONNREFUSED"),
                ("redis-sentinel://\(master)", 77, "this is no sentinel"),
                ("\(sentinel)?sentinel_password=wrong", 77, "sentinel_password"),
            ] as [(String, Int32, String)] {
                let lines = try await ping(url, status: status)
                #expect(lines.last?.contains(says) == true, "\(url): \(lines)")
            }
            // Demoted by hand, and the sentinels have not noticed.
            _ = try await set.servers[0].command("REPLICAOF", "127.0.0.1", "\(set.servers[1].port)")
            let lines = try await ping(sentinel + "?connect_timeout=3s", status: nil)
            #expect(lines.last?.contains("is a replica") == true, "\(lines)")
        }

        /// - Parameter status: nil for any but success.
        private func ping(_ url: String, status: Int32?) async throws -> [String] {
            let process = try ServerProcess([Programs.broadcast, "ping", "--url", url])
            let lines = await process.remainingLines()
            let ended = await process.waitForExit()
            #expect(status.map { ended == $0 } ?? (ended != 0), "\(url): \(lines)")
            return lines
        }
    }
}
