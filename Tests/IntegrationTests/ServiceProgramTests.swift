import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// SIGTERM to a service ends it with status 0, in every phase of its connection and with its streams open, long before
/// anybody would kill it.
@Suite(.takesTurns, .serialized, .timeLimit(.minutes(1)))
struct ServiceProgramTests {
    private func start(_ words: String...) throws -> ServerProcess {
        try ServerProcess([Programs.sibling("broadcaster-service-program")] + words)
    }

    /// Sends SIGTERM, and checks that the program ends by itself and in time.
    private func expectEnd(
        of program: ServerProcess, at location: SourceLocation = #_sourceLocation
    ) async {
        let start = ContinuousClock.now
        program.signal(SIGTERM)
        #expect(await program.waitForExit() == 0, sourceLocation: location)
        // A second on a machine of its own; tests share theirs.
        #expect(.now - start < .seconds(5), sourceLocation: location)
        #expect(await program.remainingLines().last == "ended", sourceLocation: location)
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.redis), "needs redis-server"))
    func whileItIsConnected() async throws {
        let server = try await RedisServer()
        let program = try start(server.url)
        #expect(await program.line(containing: "subscribed") != nil)
        _ = try await server.command("PUBLISH", "news", "hello")
        #expect(await program.line(containing: "hello") == "news: hello")
        await expectEnd(of: program)
        #expect(try await server.command("PUBSUB", "NUMSUB", "news").last == "0")
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.redis), "needs redis-server"))
    func whileTheServerIsAway() async throws {
        let server = try await RedisServer()
        let program = try start(server.url)
        #expect(await program.line(containing: "subscribed") != nil)
        await server.kill()
        #expect(await program.line(containing: "status: down") != nil)
        await expectEnd(of: program)
    }

    @Test func whileItConnects() async throws {
        let (connected, continuation) = AsyncStream<Void>.makeStream()
        let server = try ScriptedServer { happening, _ in
            if case .connected = happening { continuation.yield() }
        }
        let program = try start("redis://127.0.0.1:\(server.port)")
        for await _ in connected { break }
        await expectEnd(of: program)
    }

    @Test func whileItWaitsForAServer() async throws {
        let program = try start("redis://127.0.0.1:\(FreePort.find())", "wait")
        #expect(await program.line(containing: "status: down") != nil)
        await expectEnd(of: program)
    }

    @Test func aServerThatRefusesItIsAFailure() async throws {
        let server = try ScriptedServer { happening, client in
            if case .received = happening { client.send("-WRONGPASS no\r\n") }
        }
        let program = try start("redis://127.0.0.1:\(server.port)")
        let lines = await program.remainingLines()
        #expect(lines.last?.contains("WRONGPASS") == true, "\(lines)")
        #expect(await program.waitForExit() == 1)
    }
}
