import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Synchronization
import Testing

/// Passwords that are looked up anew for each connection: in libpq's password file, or by the program.
@Suite(.takesTurns, .serialized, .timeLimit(.minutes(5)))
struct PasswordSourceTests {
    private static let hasPostgres = Programs.areAvailable(Programs.postgres)

    /// What a program was asked, and what it answers; a trace as well.
    private final class Vault: Sendable {
        private let state: Mutex<(word: String, asked: [ServerAddress], lines: [String])>

        init(_ word: String) { state = Mutex((word, [], [])) }

        var asked: [ServerAddress] { state.withLock { $0.asked } }
        var lines: [String] { state.withLock { $0.lines } }
        func change(to word: String) { state.withLock { $0.word = word } }
        func add(_ line: String) { state.withLock { $0.lines.append(line) } }
        func word(for server: ServerAddress) -> String {
            state.withLock { state in
                state.asked.append(server)
                return state.word
            }
        }
    }

    private func options(_ vault: Vault) -> BroadcastOptions {
        var options = BroadcastOptions()
        options.connectTimeout = .seconds(60)
        options.publishTimeout = .seconds(60)
        options.subscribeTimeout = .seconds(60)
        options.password = { vault.word(for: $0) }
        options.trace = { vault.add($0) }
        return options
    }

    @Test(.enabled(if: hasPostgres, "needs postgresql"))
    func theProgramIsAskedForEachConnection() async throws {
        let server = try await PostgresServer()
        let vault = Vault("secret")
        let url = "postgres://scram:old@127.0.0.1:\(server.port)/postgres?application_name=victim"
        let broadcast = try Broadcast(url.patient, options: options(vault))
        try await broadcast.connect()
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        try await server.sql("ALTER ROLE scram PASSWORD 'token-two'")
        vault.change(to: "token-two")
        try await server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        )
        #expect(try await sight.next().hasPrefix("gap"))
        #expect(vault.asked.count == 2)
        #expect(vault.asked.allSatisfy { $0.host == "127.0.0.1" && $0.port == Int(server.port) })
        await broadcast.disconnect()
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.redis), "needs redis-server"))
    func overRedisTooAndTheTraceShowsNone() async throws {
        let server = try await RedisServer(["--requirepass", "word-one"])
        let vault = Vault("word-one")
        let broadcast = try Broadcast(server.url.patient, options: options(vault))
        try await broadcast.connect()
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        _ = try await server.command(
            "-a", "word-one", "CONFIG", "SET", "requirepass", "word-two")
        vault.change(to: "word-two")
        _ = try await server.command(
            "-a", "word-two", "CLIENT", "KILL", "TYPE", "pubsub")
        #expect(try await sight.next().hasPrefix("gap"))
        #expect(vault.asked.count == 2)
        #expect(vault.lines.contains { $0.contains("AUTH") })
        #expect(!vault.lines.contains { $0.contains("word-") })
        await broadcast.disconnect()
    }

    @Test(.enabled(if: hasPostgres, "needs postgresql"))
    func aPasswordInTheClearIsMaskedInTheTrace() async throws {
        let server = try await PostgresServer()
        let vault = Vault("secret")
        let broadcast = try Broadcast(
            "postgres://plain@127.0.0.1:\(server.port)/postgres?allow_cleartext=true",
            options: options(vault))
        try await broadcast.connect()
        await broadcast.disconnect()
        #expect(vault.lines.contains { $0.contains("******") })
        #expect(!vault.lines.contains { $0.contains("secret") })
    }

    /// A program that cannot say the password fails `connect()` at once, in its own words.
    @Test func aProgramThatThrowsIsARefusedLogin() async throws {
        struct NoToken: Error {}
        let server = try ScriptedServer { _, _ in }
        for scheme in ["redis://u", "postgres://u"] {
            var options = BroadcastOptions()
            options.password = { _ in throw NoToken() }
            let broadcast = try Broadcast(
                "\(scheme)@127.0.0.1:\(server.port)", options: options)
            let error = await #expect(throws: BroadcastError.self) { try await broadcast.connect() }
            guard case .authenticationFailed(let text)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(text.contains("NoToken") && !text.contains("check the"))
        }
        #expect(server.connections == 0)
    }

    /// One that never answers is given up at the deadline, and its task is cancelled.
    @Test func aProgramThatNeverAnswersIsGivenUp() async throws {
        let (cancelled, continuation) = AsyncStream<Void>.makeStream()
        var options = BroadcastOptions()
        options.connectTimeout = .milliseconds(50)
        options.password = { _ in
            let (forever, end) = AsyncStream<Never>.makeStream()
            for await _ in forever {}
            end.finish()
            continuation.yield()
            return nil
        }
        let broadcast = try Broadcast("redis://127.0.0.1:1", options: options)
        let error = await #expect(throws: BroadcastError.self) { try await broadcast.connect() }
        let isLate = if case .timedOut? = error { true } else { false }
        #expect(isLate, "\(String(describing: error))")
        for await _ in cancelled { break }
    }

    /// Each host of the list has its own line in the file, and gets no other's password, in the clear least of all.
    @Test(.enabled(if: hasPostgres, "needs postgresql"))
    func eachHostHasItsOwnLine() async throws {
        let server = try await PostgresServer()
        let dead = try FreePort.find()
        let (path, all) = (server.folder + "/pgpass", "127.0.0.1")
        TemporaryFolder.write(
            "\(all):\(dead):*:*:first\n\(all):\(server.port):*:*:secret\n", to: path)
        chmod(path, 0o600)
        let broadcast = try Broadcast(
            "postgres://plain@\(all):\(dead),\(all):\(server.port)/postgres?passfile=\(path)"
                + "&allow_cleartext=true")
        try await broadcast.connect()
        await broadcast.disconnect()
    }

    @Test func aHostWithoutALineGetsNoPassword() async throws {
        let heard = Mutex<[UInt8]>([])
        let thief = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            heard.withLock { $0 += bytes }
            // AuthenticationCleartextPassword
            client.send([UInt8(ascii: "R"), 0, 0, 0, 8, 0, 0, 0, 3])
        }
        let dead = try FreePort.find()
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        let path = folder + "/pgpass"
        TemporaryFolder.write("127.0.0.1:\(dead):*:*:first\n", to: path)
        chmod(path, 0o600)
        let broadcast = try Broadcast(
            "postgres://u@127.0.0.1:\(dead),127.0.0.1:\(thief.port)/d?passfile=\(path)"
                + "&allow_cleartext=true&sslmode=disable")
        let error = await #expect(throws: BroadcastError.self) { try await broadcast.connect() }
        let isRefused = if case .authenticationFailed? = error { true } else { false }
        #expect(isRefused, "\(String(describing: error))")
        #expect(thief.connections == 1)
        #expect(!String(decoding: heard.withLock { $0 }, as: UTF8.self).contains("first"))
    }

    /// A password that is changed in the file is seen by the next connection.
    @Test(.enabled(if: hasPostgres, "needs postgresql"))
    func aChangedFileIsSeen() async throws {
        let server = try await PostgresServer()
        let path = server.folder + "/pgpass"
        TemporaryFolder.write("*:*:*:scram:secret\n", to: path)
        chmod(path, 0o600)
        let broadcast = try Broadcast(
            "postgres://scram@127.0.0.1:\(server.port)/postgres?passfile=\(path)"
                + "&application_name=victim")
        try await broadcast.connect()
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        try await server.sql("ALTER ROLE scram PASSWORD 'second'")
        TemporaryFolder.write("*:*:*:scram:second\n", to: path)
        try await server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'"
        )
        #expect(try await sight.next().hasPrefix("gap"))
        await broadcast.disconnect()
    }
}
