import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// Programs with swift-service-lifecycle and Hummingbird, under `Tests/Packages`: what the articles show, built and run.
///
/// They are built only where those packages are at hand: `$BROADCASTER_PACKAGES` names a folder with a checkout of each.
@Suite(.takesTurns, .serialized, .timeLimit(.minutes(30)))
struct PackageTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    /// Builds a package, and returns the path of its program.
    private func build(_ package: String, program: String) async throws -> String {
        let scratch = "\(Self.root)/.build-packages/\(package)"
        let build = try ServerProcess(
            [
                Programs.swift, "build", "--package-path",
                "\(Self.root)/Tests/Packages/\(package)", "--scratch-path", scratch,
            ], environment: ["BROADCASTER_PACKAGES": Programs.packages ?? ""])
        let lines = await build.remainingLines()
        let errors = lines.filter { $0.contains("error:") }.joined(separator: "\n")
        try #require(await build.waitForExit() == 0, "\(errors)")
        return "\(scratch)/debug/\(program)"
    }

    /// Sends SIGTERM, and expects an end with status 0 in time.
    private func expectEnd(
        of program: ServerProcess, at location: SourceLocation = #_sourceLocation
    ) async {
        let start = ContinuousClock.now
        program.signal(SIGTERM)
        #expect(await program.waitForExit() == 0, sourceLocation: location)
        #expect(.now - start < .seconds(1), sourceLocation: location)
    }

    @Test(
        .enabled(
            if: Programs.hasPackages("swift-service-lifecycle")
                && Programs.areAvailable(Programs.redis),
            "needs redis-server, and swift-service-lifecycle in the folder $BROADCASTER_PACKAGES"))
    func aServiceGroupEndsOnSIGTERMInEveryPhase() async throws {
        let path = try await build("Lifecycle", program: "LifecycleService")
        let redis = try await RedisServer()
        let connected = try ServerProcess([path, redis.url])
        #expect(await connected.line(containing: "connected to") != nil)
        await expectEnd(of: connected)
        let waiting = try ServerProcess([path, "redis://127.0.0.1:\(FreePort.find())", "wait"])
        #expect(await waiting.line(containing: "ECONNREFUSED") != nil)
        await expectEnd(of: waiting)
        let (accepted, continuation) = AsyncStream<Void>.makeStream()
        let silent = try ScriptedServer { happening, _ in
            if case .connected = happening { continuation.yield() }
        }
        let connecting = try ServerProcess([path, "redis://127.0.0.1:\(silent.port)"])
        for await _ in accepted { break }
        await expectEnd(of: connecting)
    }

    @Test(
        .enabled(
            if: Programs.hasPackages("hummingbird", "hummingbird-websocket")
                && Programs.areAvailable(Programs.redis, Programs.curl),
            "needs redis-server, curl, and Hummingbird in the folder $BROADCASTER_PACKAGES"))
    func theServerOfTheArticleSurvivesARestartAndEndsWithOpenStreams() async throws {
        let path = try await build("InAServer", program: "InAServer")
        let redis = try await RedisServer()
        let port = try FreePort.find()
        let server = try ServerProcess([path, redis.url, "\(port)"])
        #expect(await server.line(containing: "connected to") != nil)
        let address = "http://127.0.0.1:\(port)"
        let stream = try ServerProcess(
            [
                Programs.curl, "-sN", "--retry", "5", "--retry-connrefused",
                "\(address)/events/news",
            ],
            mergesErrors: false)
        while try await redis.command("PUBSUB", "NUMSUB", "news").last != "1" {}
        #expect(try await status("-d", "hello\nworld", "\(address)/rooms/news") == "202")
        #expect(await stream.line(containing: "data") == "data: hello")
        #expect(await stream.line(containing: "data") == "data: world")
        await redis.kill()
        while try await status("\(address)/health") != "503" {}
        try await redis.start()
        while try await status("\(address)/health") != "200" {}
        #expect(await stream.line(containing: "event") == "event: gap")
        #expect(try await status("-d", "after", "\(address)/rooms/news") == "202")
        #expect(await stream.line(containing: "data: after") != nil)
        // A client that leaves a silent room leaves its channel.
        let visitor = try ServerProcess([Programs.curl, "-sN", "\(address)/events/quiet"])
        while try await redis.command("PUBSUB", "NUMSUB", "quiet").last != "1" {}
        visitor.signal(SIGKILL)
        while try await redis.command("PUBSUB", "NUMSUB", "quiet").last != "0" {}
        await expectEnd(of: server)
        #expect(await stream.remainingLines().allSatisfy { $0.isEmpty })
    }

    /// Returns the status of curl's request.
    private func status(_ words: String...) async throws -> String? {
        let curl = try ServerProcess(
            [Programs.curl, "-s", "-o", "/dev/null", "-w", "%{http_code}\n"] + words)
        return await curl.remainingLines().last
    }
}
