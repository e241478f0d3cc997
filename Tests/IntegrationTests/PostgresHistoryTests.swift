import Broadcaster
import BroadcasterTestSupport
import Glibc
import Testing

/// What may happen to the tables of a history while somebody reads them, on a real server.
@Suite(
    .takesTurns, .enabled(if: Programs.areAvailable(Programs.postgres), "needs postgresql"),
    .serialized,
    .timeLimit(.minutes(5)))
struct PostgresHistoryTests {
    private func run(
        _ options: String = "", _ body: (PostgresServer, Broadcast) async throws -> Void
    ) async throws {
        let server = try await PostgresServer()
        var limits = BroadcastOptions()
        limits.connectTimeout = .seconds(60)
        limits.publishTimeout = .seconds(60)
        limits.subscribeTimeout = .seconds(60)
        let broadcast = try Broadcast((server.historyURL + options).patient, options: limits)
        try await broadcast.migrate()
        try await broadcast.connect()
        try await body(server, broadcast)
        await broadcast.disconnect()
    }

    private func events(_ count: Int, of subscription: Subscription) async throws -> [String] {
        var words: [String] = []
        var iterator = subscription.events.makeAsyncIterator()
        while words.count < count, let event = try await iterator.next() {
            switch event {
            case .message(let message): words.append(message.text)
            case .gap(let gap): words.append("\(gap.reason) \(gap.lost.map(String.init) ?? "?")")
            }
        }
        return words
    }

    @Test func withoutTablesTheAdviceIsToMakeThem() async throws {
        let server = try await PostgresServer()
        let broadcast = try Broadcast(server.historyURL.patient)
        try await broadcast.connect()
        for call in [
            { _ = try await broadcast.subscribe(to: "c") },
            { _ = try await broadcast.publish("x", to: "c") },
            { _ = try await broadcast.history(of: "c") },
        ] as [() async throws -> Void] {
            let error = await #expect(throws: BroadcastError.self) { try await call() }
            #expect(error?.description.hasSuffix("broadcast migrate --url … --apply") == true)
        }
        await broadcast.disconnect()
    }

    @Test func otherProgramsPublishByTheFunction() async throws {
        try await run { server, broadcast in
            let subscription = try await broadcast.subscribe(to: "c")
            try await server.sql("SELECT messages_publish('c', ARRAY['one', 'two']::bytea[])")
            #expect(try await events(2, of: subscription) == ["one", "two"])
        }
    }

    @Test func largeMessagesAreOneMessage() async throws {
        try await run { _, broadcast in
            let subscription = try await broadcast.subscribe(to: "c")
            let large = [UInt8](repeating: 7, count: 5_000_000)
            try await broadcast.publish(large, to: "c")
            var iterator = subscription.makeAsyncIterator()
            #expect(try await iterator.next()?.bytes == large)
        }
    }

    @Test func whatIsTrimmedIsCounted() async throws {
        try await run("&max_length=100") { _, broadcast in
            try await broadcast.publish(contentsOf: (1...50).map { "\($0)" }, to: "c")
            let place = try #require(
                try await broadcast.history(of: "c", limit: 1).messages.first?.position)
            for batch in 0..<5 {
                try await broadcast.publish(
                    contentsOf: (1...100).map { "\(50 + batch * 100 + $0)" }, to: "c")
            }
            let subscription = try await broadcast.subscribe(to: "c", history: .after(place))
            let words = try await events(2, of: subscription)
            let first = try #require(Int(words[1]))
            #expect(words[0] == "trimmed \(first - 51)" && first > 51)
        }
    }

    @Test func emptiedTablesAreGaps() async throws {
        try await run { server, broadcast in
            try await broadcast.publish(contentsOf: ["1", "2", "3"], to: "c")
            let first = try #require(
                try await broadcast.history(of: "c", .oldest, limit: 1).messages.first?.position)
            let live = try await broadcast.subscribe(to: "c", history: .all)
            #expect(try await events(3, of: live) == ["1", "2", "3"])
            try await server.sql("TRUNCATE messages")
            // Another, since this one has the page yet that was read a moment ago.
            let other = try Broadcast(server.historyURL.patient)
            try await other.connect()
            let behind = try await other.subscribe(to: "c", history: .after(first))
            try await broadcast.publish("4", to: "c")
            #expect(try await events(2, of: behind) == ["trimmed 2", "4"])
            await other.disconnect()
            #expect(try await events(1, of: live) == ["4"], "it had read all")
            try await server.sql("TRUNCATE messages, messages_channels")
            try await broadcast.publish("new", to: "c")
            #expect(try await events(2, of: live) == ["reset ?", "new"])
        }
    }

    @Test func anAnchorThatIsGoneAloneIsAReset() async throws {
        try await run { server, broadcast in
            try await broadcast.publish(contentsOf: ["1", "2"], to: "c")
            let subscription = try await broadcast.subscribe(to: "c", history: .all)
            #expect(try await events(2, of: subscription) == ["1", "2"])
            try await server.sql("DELETE FROM messages WHERE \"offset\" = 2")
            try await broadcast.publish("3", to: "c")
            #expect(try await events(2, of: subscription) == ["reset ?", "3"])
        }
    }

    /// A standby that lagged took over: numbers are given again, to other messages.
    @Test func numbersThatAreGivenAgainAreAReset() async throws {
        try await run { server, broadcast in
            try await broadcast.publish(contentsOf: ["1"], to: "c")
            try await broadcast.publish(contentsOf: ["2", "3"], to: "c")
            let subscription = try await broadcast.subscribe(to: "c", history: .all)
            #expect(try await events(3, of: subscription) == ["1", "2", "3"])
            try await server.sql(
                "DELETE FROM messages WHERE \"offset\" > 1; UPDATE messages_channels SET top = 1")
            try await broadcast.publish(contentsOf: ["2a", "3a", "4a"], to: "c")
            #expect(try await events(4, of: subscription) == ["reset ?", "2a", "3a", "4a"])
        }
    }

    @Test func theOrderIsThatOfTheCommits() async throws {
        try await run { server, broadcast in
            let subscription = try await broadcast.subscribe(to: "c")
            let holder = try ServerProcess([
                Programs.postgresFolder + "/psql", "-XAtq", "-h", server.folder, "-p",
                "\(server.port)", "-U", "admin", "postgres",
            ])
            let publish = "SELECT messages_publish('c', ARRAY['A'::bytea]);"
            holder.write("BEGIN; \(publish)\n\\echo held\n")
            #expect(await holder.line(containing: "held") != nil)
            // The second waits for the first, whose number is lower.
            async let quick = server.sql("SELECT messages_publish('c', ARRAY['B'::bytea])")
            let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while try await server.sql(waiting) == ["0"] {}
            holder.write("COMMIT;\n")
            _ = try await quick
            holder.write("BEGIN; \(publish) ROLLBACK;\n")
            holder.closeInput()
            _ = await holder.waitForExit()
            try await broadcast.publish("C", to: "c")
            #expect(try await events(3, of: subscription) == ["A", "B", "C"])
            let numbers = try await server.sql("SELECT \"offset\" FROM messages ORDER BY 1")
            #expect(numbers == ["1", "2", "3"], "what was rolled back leaves no hole")
        }
    }

    @Test func aCrashUnderLoadLosesNothing() async throws {
        try await run("&max_length=0") { server, broadcast in
            let load = HistoryLoad(broadcast: broadcast, isRefusedAtTimes: true)
            try await load.losesNothing(crashes: 2) {
                await server.stop(SIGQUIT)
                try await server.start()
            }
        }
    }
}
