import Broadcaster
import BroadcasterTestSupport
import Glibc
import Testing

/// Against a real Postgres.
@Suite(
    .takesTurns, .enabled(if: Programs.areAvailable(Programs.postgres), "needs postgresql"),
    .serialized, .timeLimit(.minutes(5)))
struct PostgresTests {
    private func connected(_ url: String) async throws -> Broadcast {
        // A test may run on a machine that is busy with all the others.
        var options = BroadcastOptions()
        options.connectTimeout = .seconds(60)
        options.publishTimeout = .seconds(60)
        options.subscribeTimeout = .seconds(60)
        let broadcast = try Broadcast(url.patient, options: options)
        try await broadcast.connect()
        return broadcast
    }

    /// The next `count` messages; a gap is an issue.
    private func take(_ count: Int, of subscription: Subscription) async throws -> [Message] {
        var messages: [Message] = []
        for try await event in subscription.events {
            switch event {
            case .message(let message): messages.append(message)
            case .gap(let gap): Issue.record("\(gap)")
            }
            if messages.count == count { break }
        }
        return messages
    }

    @Test func everyLoginWorksAndIsTold() async throws {
        let server = try await PostgresServer()
        for (user, query, method) in [
            ("scram", "", "SCRAM-SHA-256"), ("md5er", "", "MD5"), ("trusty", "", "trust"),
            ("plain", "?allow_cleartext=true", "cleartext"),
        ] {
            let broadcast = try await connected(server.url(user, query))
            guard case .ready(let info) = broadcast.status else {
                Issue.record("\(broadcast.status)")
                continue
            }
            #expect(info.protocol == "v3, \(method)")
            _ = try await broadcast.publish("x", to: "c")
            await broadcast.disconnect()
        }
        let refused = [
            server.url("plain"), server.url("scram").replacingSecret("wrong"),
            server.url("md5er").replacingSecret("wrong"), server.url("nobody"),
            "postgres://scram@127.0.0.1:\(server.port)/postgres?passfile=/nowhere",
        ]
        for url in refused {
            let error = await #expect(throws: BroadcastError.self) {
                try await Broadcast(url.patient).connect()
            }
            guard case .authenticationFailed(let text)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(!text.contains("wrong"))
        }
        await #expect(throws: BroadcastError.self) {
            try await Broadcast("postgres://scram:secret@127.0.0.1:\(server.port)/nodb".patient)
                .connect()
        }
        let socket = try await connected(
            "postgres:///postgres?host=\(server.folder)&port=\(server.port)&user=admin")
        await socket.disconnect()
    }

    @Test func namesAndPayloadsArriveAsTheyWere() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url())
        let names = [
            "chat", "Chat", "two words", "a\"b", "a'b", "ä", "a; DROP TABLE x", "emoji 🎉",
            "new\nline",
            String(repeating: "é", count: 31) + "x", "cafe\u{301}", "caf\u{e9}",
        ]
        let subscription = try await broadcast.subscribe(to: names, buffer: SubscriptionBuffer())
        let payloads: [[UInt8]] = [
            [], Array("plain".utf8), Array("broadcaster:1:t:tricky".utf8),
            Array("broadcaster:1:".utf8),
            [0], Array(0...255), Array(String(repeating: "x", count: 7999).utf8),
            Array(String(repeating: "x", count: 8000).utf8),
            Array(String(repeating: "é", count: 20_000).utf8),
        ]
        for name in names {
            for payload in payloads { try await broadcast.publish(payload, to: name) }
        }
        let messages = try await take(names.count * payloads.count, of: subscription)
        for (index, message) in messages.enumerated() {
            #expect(message.channel.utf8.elementsEqual(names[index / payloads.count].utf8))
            #expect(message.bytes == payloads[index % payloads.count])
        }
        await broadcast.disconnect()
    }

    @Test func limitsAreKeptBeforeAnythingIsSent() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url("scram", "?large_payloads=refuse"))
        let long = String(repeating: "x", count: 64)
        let attempts: [@Sendable () async throws -> Void] = [
            { _ = try await broadcast.subscribe(to: long) },
            { _ = try await broadcast.subscribe(to: "nul\0") },
            { _ = try await broadcast.subscribe(to: "") },
            { _ = try await broadcast.subscribe(toPatterns: "x*") },
            { _ = try await broadcast.publish("x", to: long) },
            { _ = try await broadcast.publish(String(repeating: "x", count: 8000), to: "c") },
        ]
        for attempt in attempts {
            let error = await #expect(throws: BroadcastError.self) { try await attempt() }
            guard case .invalid? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        _ = try await broadcast.subscribe(to: String(repeating: "x", count: 63))
        await broadcast.disconnect()
    }

    @Test func aMegabyteArrivesInItsPlace() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url())
        let other = try await connected(server.url())
        let subscription = try await broadcast.subscribe(to: "c")
        let text = String((0..<1_000_000).map { Character(Unicode.Scalar(UInt8(97 + $0 % 26))) })
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        try await other.publish("first", to: "c")
        try await other.publish(text, to: "c")
        try await other.publish(bytes, to: "c")
        try await other.publish("last", to: "c")
        let messages = try await take(4, of: subscription)
        #expect(messages.map(\.count) == [5, 1_000_000, 1_000_000, 4])
        #expect(messages[1].text == text)
        #expect(messages[2].bytes == bytes)
        await other.disconnect()
        await broadcast.disconnect()
    }

    /// Postgres delivers equal notifications of one transaction once.
    @Test func equalMessagesAllArrive() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url())
        let subscription = try await broadcast.subscribe(
            to: "c", buffer: SubscriptionBuffer(messages: 5000))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<1000 { group.addTask { try await broadcast.publish("same", to: "c") } }
            try await group.waitForAll()
        }
        try await broadcast.publish(contentsOf: repeatElement("same", count: 1000), to: "c")
        let large = String(repeating: "x", count: 10_000)
        try await broadcast.publish(contentsOf: repeatElement(large, count: 20), to: "c")
        let messages = try await take(2020, of: subscription)
        #expect(messages.prefix(2000).allSatisfy { $0.text == "same" })
        #expect(messages.suffix(20).allSatisfy { $0.text == large })
        await broadcast.disconnect()
    }

    /// One of them cannot be written in the database's encoding; the others come, and in their order.
    @Test func aMessageThatFailsDoesNotChangeTheOrder() async throws {
        let server = try await PostgresServer()
        try await server.sql(
            "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
        let broadcast = try await connected(
            server.url().replacing("/postgres", with: "/latin"))
        let subscription = try await broadcast.subscribe(to: "c")
        let large = "4 " + String(repeating: "x", count: 9000)
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish(
                contentsOf: ["1", "2", "3 🎉", large, "5", "6"], to: "c")
        }
        guard case .incomplete(let outcomes)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(outcomes.count { if case .success = $0 { true } else { false } } == 5)
        let messages = try await take(5, of: subscription)
        #expect(messages.map(\.text) == ["1", "2", large, "5", "6"])
        await broadcast.disconnect()
    }

    @Test func eightPublishersKeepTheirOrder() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url())
        let subscription = try await broadcast.subscribe(
            to: "c", buffer: SubscriptionBuffer(messages: 20_000))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for publisher in 0..<8 {
                let own = publisher % 2 == 0 ? broadcast : try await connected(server.url())
                group.addTask {
                    for number in 0..<1000 {
                        try await own.publish("\(publisher) \(number)", to: "c")
                    }
                    if publisher % 2 == 1 { await own.disconnect() }
                }
            }
            try await group.waitForAll()
        }
        var next = Array(repeating: 0, count: 8)
        for message in try await take(8000, of: subscription) {
            let parts = message.text.split(separator: " ").compactMap { Int($0) }
            #expect(parts[1] == next[parts[0]])
            next[parts[0]] = parts[1] + 1
        }
        await broadcast.disconnect()
    }

    @Test func psqlTakesPart() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url())
        let subscription = try await broadcast.subscribe(to: "chat")
        try await server.sql("NOTIFY chat, 'from psql'")
        #expect(try await take(1, of: subscription).first?.text == "from psql")
        let listener = try ServerProcess([
            Programs.postgresFolder + "/psql", "-Xq", "-h", server.folder, "-p", "\(server.port)",
            "-U",
            "admin", "postgres",
        ])
        listener.write("LISTEN chat;\n\\echo ready\n")
        #expect(await listener.line(containing: "ready") != nil)
        try await broadcast.publish("to psql", to: "chat")
        // psql looks for notifications after each statement.
        listener.write("SELECT 1;\n")
        #expect(await listener.line(containing: "to psql") != nil)
        await broadcast.disconnect()
    }

    @Test(arguments: [SIGINT, SIGQUIT])
    func aRestartIsOneGapAndThenMessages(signal: Int32) async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url())
        let subscription = try await broadcast.subscribe(to: "c")
        try await broadcast.publish("before", to: "c")
        await server.stop(signal)
        try await server.start()
        var seen: [String] = []
        for try await event in subscription.events {
            switch event {
            case .message(let message): seen.append(message.text)
            case .gap(let gap):
                guard case .reconnected = gap.reason else { continue }
                seen.append("gap")
                try await broadcast.publish("after", to: "c")
            }
            if seen.last == "after" { break }
        }
        #expect(seen == ["before", "gap", "after"])
        await broadcast.disconnect()
    }

    @Test func aTerminatedBackendComesBack() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url("scram", "?application_name=victim"))
        let subscription = try await broadcast.subscribe(to: "c")
        try await server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        )
        for try await event in subscription.events {
            guard case .gap(let gap) = event, case .reconnected(_, let text) = gap.reason else {
                continue
            }
            #expect(text.contains("57P01"))
            break
        }
        try await broadcast.publish("x", to: "c")
        #expect(try await take(1, of: subscription).first?.text == "x")
        await broadcast.disconnect()
    }

    @Test func theFirstOfTwoHostsThatAnswersIsTaken() async throws {
        let server = try await PostgresServer()
        let nobody = try FreePort.find()
        let broadcast = try await connected(
            "postgres://scram:secret@127.0.0.1:\(nobody),127.0.0.1:\(server.port)/postgres")
        try await broadcast.publish("x", to: "c")
        await broadcast.disconnect()
    }

    @Test func aStandbyIsRefusedAndTheNextHostTried() async throws {
        let primary = try await PostgresServer()
        let standby = try await PostgresServer()
        await standby.stop()
        try await standby.becomeStandby()
        try await standby.start()
        let error = await #expect(throws: BroadcastError.self) {
            try await Broadcast(standby.url().patient).connect()
        }
        #expect(error?.description.contains("standby") == true, "\(String(describing: error))")
        let broadcast = try await connected(
            "postgres://scram:secret@127.0.0.1:\(standby.port),127.0.0.1:\(primary.port)/postgres")
        try await broadcast.publish("x", to: "c")
        await broadcast.disconnect()
    }

    @Test func tenThousandChannels() async throws {
        let server = try await PostgresServer()
        let broadcast = try await connected(server.url())
        let names = (0..<10_000).map { "channel-\($0)" }
        let subscription = try await broadcast.subscribe(to: names)
        try await broadcast.publish("x", to: "channel-9999")
        #expect(try await take(1, of: subscription).first?.channel == "channel-9999")
        await broadcast.disconnect()
    }

    @Test(
        .enabled(if: Programs.areAvailable(Programs.pgbouncer), "needs pgbouncer"),
        arguments: ["session", "transaction"])
    func poolersAreUnderstood(mode: String) async throws {
        let server = try await PostgresServer()
        let pooler = try await PgBouncer(before: server, mode: mode)
        let broadcast = try await connected(pooler.url)
        if mode == "session" {
            let subscription = try await broadcast.subscribe(to: "c")
            try await broadcast.publish("x", to: "c")
            #expect(try await take(1, of: subscription).first?.text == "x")
        } else {
            // Another client's traffic, which moves this client between the server's connections.
            let other = try await connected(pooler.url)
            async let noise: Void = {
                for _ in 0..<200 { _ = try? await other.publish("noise", to: "n") }
            }()
            let error = await #expect(throws: BroadcastError.self) {
                _ = try await broadcast.subscribe(to: "c")
            }
            #expect(
                error?.description.contains("transaction mode") == true,
                "\(String(describing: error))")
            try await broadcast.publish("x", to: "c")
            await noise
            await other.disconnect()
        }
        await broadcast.disconnect()
    }

    @Test(
        .enabled(
            if: Programs.areAvailable(Programs.python) && Programs.pythonHasAsyncpg,
            "needs Python with broadcaster[postgres]"))
    func pythonTakesPart() async throws {
        let server = try await PostgresServer()
        let script = """
            import asyncio, sys
            from broadcaster import Broadcast
            async def main():
                async with Broadcast(sys.argv[1]) as broadcast:
                    async with broadcast.subscribe("Chat Room") as subscriber:
                        print("ready", flush=True)
                        async for event in subscriber:
                            print(repr(event.message), flush=True)
                            await broadcast.publish("Chat Room", "back: " + event.message)
                            return
            asyncio.run(main())
            """
        let broadcast = try await connected(server.url())
        let python = try ServerProcess([Programs.python, "-c", script, server.url()])
        let greeting = await python.line(containing: "")
        try #require(greeting == "ready")
        let subscription = try await broadcast.subscribe(to: "Chat Room")
        try await broadcast.publish("grüße", to: "Chat Room")
        let messages = try await take(2, of: subscription)
        #expect(messages.map(\.text) == ["grüße", "back: grüße"])
        #expect(await python.remainingLines() == ["'grüße'"])
        await broadcast.disconnect()
    }

    @Test func theCommandWorksAsWithRedis() async throws {
        let server = try await PostgresServer()
        let subscriber = try ServerProcess([
            Programs.broadcast, "subscribe", "--url", server.url(), "--count", "1001", "chat",
        ])
        #expect(await subscriber.line(containing: "") == "subscribed to chat")
        let publisher = try ServerProcess(
            [Programs.broadcast, "publish", "--url", server.url(), "chat"])
        publisher.write(String(repeating: "same\n", count: 1000) + "end\n")
        publisher.closeInput()
        #expect(await publisher.waitForExit() == 0)
        let lines = await subscriber.remainingLines()
        #expect(lines == Array(repeating: "same", count: 1000) + ["end"])
        let wrong = try ServerProcess(
            [Programs.broadcast, "ping", "--url", server.url().replacingSecret("wrong")])
        #expect(await wrong.waitForExit() == 77)
    }
}

extension String {
    fileprivate func replacingSecret(_ other: String) -> String {
        let parts = split(separator: "secret", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.joined(separator: other)
    }
}
