import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// The `broadcast` command, as a person at a shell uses it.
@Suite(.takesTurns, .serialized, .timeLimit(.minutes(5)))
struct CommandTests {
    private struct Ended {
        let status: Int32
        let lines: [String]
    }

    private func run(_ words: String..., input: String? = nil) async throws -> Ended {
        let process = try ServerProcess([Programs.broadcast] + words)
        if let input { process.write(input) }
        process.closeInput()
        let lines = await process.remainingLines()
        return Ended(status: await process.waitForExit(), lines: lines)
    }

    @Test(arguments: [[], ["subscribe"], ["publish"], ["ping"]])
    func helpIsThere(words: [String]) async throws {
        let process = try ServerProcess([Programs.broadcast] + words + ["--help"])
        let lines = await process.remainingLines()
        #expect(lines.contains { $0.contains("redis://") })
        #expect(await process.waitForExit() == 0)
    }

    @Test(arguments: [
        ([], "no command"), (["sing"], "unknown command \"sing\""),
        (["subscribe"], "no channel"), (["publish"], "no channel"),
        (["publish", "a", "b", "c"], "in quotes"), (["ping", "x"], "options only"),
        (["subscribe", "--colour", "c"], "unknown option --colour"),
        (["subscribe", "c", "--count"], "--count needs a value"),
        (["subscribe", "c", "--count", "0"], "--count takes a number above zero"),
        (["subscribe", "c", "--timeout", "-1"], "--timeout takes seconds"),
        (["subscribe", "c", "--format", "xml"], "--format is text or json"),
        (["subscribe", "c", "--overflow", "burst"], "--overflow is drop-oldest"),
        (["subscribe", "c", "--url", "http://x"], "unknown scheme"),
        (["publish", "c", "x", "--url", "redis://h?x=1"], "unknown option"),
        (["publish", "", "x"], "the channel's name is empty"),
    ])
    func wrongUsageIs64AndSaysWhy(words: [String], says: String) async throws {
        let process = try ServerProcess([Programs.broadcast] + words)
        process.closeInput()
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() == 64)
        #expect(lines.last?.contains(says) == true, "\(lines)")
    }

    @Test func nobodyThereIs69() async throws {
        let port = try FreePort.find()
        for command in [["ping"], ["subscribe", "c"], ["publish", "c", "x"]] {
            let process = try ServerProcess(
                [Programs.broadcast] + command + ["--url", "redis://127.0.0.1:\(port)"])
            let lines = await process.remainingLines()
            #expect(await process.waitForExit() == 69)
            #expect(lines.last?.contains("ECONNREFUSED") == true)
        }
    }

    @Test func whatIsNoRedisIs70() async throws {
        let server = try ScriptedServer { happening, client in
            if case .received = happening { client.send("SSH-2.0-OpenSSH_9.2\r\n") }
        }
        let ended = try await run("ping", "--url", "redis://127.0.0.1:\(server.port)")
        #expect(ended.status == 70)
    }

    /// libpq's variable for `connect_timeout`.
    @Test func theTimeToConnectMayStandInTheEnvironment() async throws {
        let server = try ScriptedServer { _, _ in }
        let process = try ServerProcess(
            [Programs.broadcast, "ping", "--url", "postgres://u@127.0.0.1:\(server.port)"],
            environment: ["PGCONNECT_TIMEOUT": "1"])
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() == 75)
        #expect(lines.last?.contains("within 1 s") == true, "\(lines)")
    }

    @Test func aTimeoutIs75() async throws {
        let ended = try await run("subscribe", "c", "--timeout", "0.05")
        #expect(ended.status == 75)
        #expect(ended.lines.first == "subscribed to c")
    }

    @Test(arguments: [SIGINT, SIGTERM])
    func aSignalIsAGoodEnd(signal: Int32) async throws {
        let process = try ServerProcess([Programs.broadcast, "subscribe", "c"])
        _ = await process.line(containing: "subscribed to c")
        process.signal(signal)
        #expect(await process.waitForExit() == 0)
    }
}

/// How the command ends when it is told to in a bad moment.
@Suite(.takesTurns, .serialized, .timeLimit(.minutes(2)))
struct CommandEndTests {
    /// Greets, and answers no PUBLISH and no PING.
    private func silentServer(
        _ heard: @escaping @Sendable (String) -> Void = { _ in }
    ) throws -> ScriptedServer {
        try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO") { client.send("%1\r\n+version\r\n+7.0.15\r\n") }
            heard(text)
        }
    }

    /// A line for each message that was sent, also then.
    @Test func aSignalWhilePublishingTellsTheOutcomes() async throws {
        let (sent, continuation) = AsyncStream<Void>.makeStream()
        let server = try silentServer { if $0.contains("PUBLISH") { continuation.yield() } }
        let process = try ServerProcess([
            Programs.broadcast, "publish", "--format", "json", "--url",
            "redis://127.0.0.1:\(server.port)?publish_timeout=60s", "c",
        ])
        process.write("one\ntwo\n")
        for await _ in sent { break }
        process.signal(SIGTERM)
        let lines = await process.remainingLines()
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.contains("outcome-unknown") }, "\(lines)")
        #expect(await process.waitForExit() == 0)
    }

    @Test func aSignalEndsAPingThatIsNotAnswered() async throws {
        let (asked, continuation) = AsyncStream<Void>.makeStream()
        let server = try silentServer { if $0.contains("PING") { continuation.yield() } }
        let process = try ServerProcess([
            Programs.broadcast, "ping", "--url", "redis://127.0.0.1:\(server.port)?ping=1000s",
        ])
        for await _ in asked { break }
        process.signal(SIGINT)
        #expect(await process.waitForExit() == 0)
    }

    @Test func aSignalEndsAChatThatIsConnecting() async throws {
        let (asked, continuation) = AsyncStream<Void>.makeStream()
        let server = try ScriptedServer { _, _ in continuation.yield() }
        let process = try ServerProcess([
            Programs.broadcast, "chat", "--port", "0", "--url",
            "redis://127.0.0.1:\(server.port)?connect_timeout=1000s",
        ])
        for await _ in asked { break }
        process.signal(SIGTERM)
        #expect(await process.waitForExit() == 0)
    }

    /// Who reads its output has stopped reading.
    @Test(arguments: [0, 75] as [Int32])
    func aBlockedPipeHoldsNobody(status: Int32) async throws {
        var pipe: [Int32] = [0, 0]
        #expect(Glibc.pipe(&pipe) == 0)
        defer { for end in pipe { close(end) } }
        let (subscribed, continuation) = AsyncStream<ScriptedServer.Client>.makeStream()
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO") { client.send("%1\r\n+version\r\n+7.0.15\r\n") }
            if text.contains("SUBSCRIBE\r\n$1\r\nc") {
                client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
                let message = String(repeating: "x", count: 100_000)
                client.send(">3\r\n+message\r\n+c\r\n$100000\r\n\(message)\r\n")
                continuation.yield(client)
            }
        }
        let command =
            "exec \(Programs.broadcast) subscribe --timeout \(status == 0 ? 1000 : 1)"
            + " --url redis://127.0.0.1:\(server.port) c >/dev/fd/\(pipe[1])"
        let process = try ServerProcess(["/bin/sh", "-c", command])
        for await _ in subscribed { break }
        if status == 0 { process.signal(SIGTERM) }
        #expect(await process.waitForExit() == status)
    }
}

/// The command against a real redis-server.
@Suite(
    .takesTurns,
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
    .serialized, .timeLimit(.minutes(5)))
struct CommandWithRedisTests {
    private func subscriber(
        _ server: RedisServer, _ words: String..., channels: [String] = ["chat"],
        mergesErrors: Bool = true
    ) throws -> ServerProcess {
        try ServerProcess(
            [Programs.broadcast, "subscribe", "--url", server.url] + words + channels,
            mergesErrors: mergesErrors)
    }

    private func publish(
        _ server: RedisServer, _ words: String..., input: String? = nil
    ) async throws -> [String] {
        let process = try ServerProcess(
            [Programs.broadcast, "publish", "--url", server.url] + words)
        if let input { process.write(input) }
        process.closeInput()
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() == 0)
        return lines
    }

    @Test func textIsTheMessagesAlone() async throws {
        let server = try await RedisServer()
        let process = try subscriber(server, "--count", "2")
        #expect(await process.line(containing: "") == "subscribed to chat")
        #expect(try await publish(server, "chat", "hello").isEmpty)
        _ = try await server.command("PUBLISH", "chat", "from redis-cli")
        #expect(await process.remainingLines() == ["hello", "from redis-cli"])
        #expect(await process.waitForExit() == 0)
    }

    @Test func severalChannelsAreNamed() async throws {
        let server = try await RedisServer()
        let process = try subscriber(server, "--count", "2", channels: ["a", "b"])
        _ = await process.line(containing: "subscribed to b")
        _ = try await publish(server, "a", "1")
        _ = try await publish(server, "b", "2")
        #expect(await process.remainingLines() == ["a\t1", "b\t2"])
    }

    @Test func jsonTellsEverything() async throws {
        let server = try await RedisServer()
        let process = try subscriber(
            server, "--count", "3", "--format", "json", mergesErrors: false)
        var lines = process.lines.makeAsyncIterator()
        #expect(await lines.next() == #"{"type":"subscribed","channel":"chat"}"#)
        let told = try await publish(
            server, "--format", "json", "chat", input: "say \"hi\"\\\ttab\u{1}\n\nlast")
        let published = #"{"type":"published","channel":"chat","receivers":1}"#
        #expect(told == [published, published, published])
        #expect(
            await lines.next()
                == #"{"type":"message","channel":"chat","text":"say \"hi\"\\\ttab\u0001"}"#)
        #expect(await lines.next() == #"{"type":"message","channel":"chat","text":""}"#)
        #expect(await lines.next() == #"{"type":"message","channel":"chat","text":"last"}"#)
        #expect(await lines.next() == nil)
    }

    @Test func bytesThatAreNoTextAreBase64AndPatternsAreNamed() async throws {
        let server = try await RedisServer()
        let process = try subscriber(
            server, "--count", "1", "--format", "json", "--pattern", channels: ["ch*"],
            mergesErrors: false)
        var lines = process.lines.makeAsyncIterator()
        #expect(await lines.next() == #"{"type":"subscribed","pattern":"ch*"}"#)
        _ = try await server.command("EVAL", #"return redis.call("PUBLISH","chat","\255a")"#, "0")
        #expect(
            await lines.next()
                == #"{"type":"message","channel":"chat","pattern":"ch*","base64":"/2E="}"#)
    }

    @Test func aRestartIsOneGapLine() async throws {
        let server = try await RedisServer()
        let process = try subscriber(
            server, "--count", "2", "--format", "json", mergesErrors: false)
        _ = await process.line(containing: "subscribed")
        _ = try await publish(server, "chat", "before")
        #expect(await process.line(containing: "before") != nil)
        await server.kill()
        let failed = try ServerProcess(
            [Programs.broadcast, "publish", "--format", "json", "--url", server.url, "chat", "x"],
            mergesErrors: false)
        #expect(
            await failed.line(containing: "")?.hasPrefix(
                #"{"type":"failed","error":"disconnected""#)
                == true)
        #expect(await failed.waitForExit() == 69)
        try await server.start()
        var lines: [String] = []
        for await line in process.lines {
            lines.append(line)
            if line.contains(#""type":"gap""#) { _ = try await publish(server, "chat", "after") }
        }
        let gaps = lines.filter { $0.contains(#""type":"gap""#) }
        #expect(gaps.count == 1)
        #expect(
            gaps.first?.contains(#""channel":"chat","reason":"reconnected","seconds":"#) == true)
        #expect(lines.last == #"{"type":"message","channel":"chat","text":"after"}"#)
    }

    @Test func aWrongPasswordIs77() async throws {
        let server = try await RedisServer(["--requirepass", "right"])
        let process = try ServerProcess(
            [Programs.broadcast, "ping", "--url", "redis://:wrong@127.0.0.1:\(server.port)"])
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() == 77)
        #expect(lines.last?.contains("WRONGPASS") == true)
        #expect(!lines.joined().contains("wrong@"))
    }

    @Test func pingSaysWhoAnswers() async throws {
        let server = try await RedisServer()
        for (query, dialect) in [("", "RESP3"), ("?protocol=2", "RESP2")] {
            let process = try ServerProcess(
                [Programs.broadcast, "ping", "--url", server.url + query])
            let lines = await process.remainingLines()
            #expect(await process.waitForExit() == 0)
            #expect(lines.prefix(2) == ["server: redis \(server.version)", "protocol: \(dialect)"])
        }
    }

    @Test func redisCLISeesWhatIsPublished() async throws {
        let server = try await RedisServer()
        let client = try ServerProcess([
            Programs.redisCLI, "-s", server.socketPath, "SUBSCRIBE", "chat",
        ])
        _ = await client.line(containing: "1")
        #expect(try await publish(server, "chat", "hello").isEmpty)
        #expect(await client.line(containing: "hello") != nil)
    }

    @Test func linesOfStandardInputKeepTheirOrder() async throws {
        let server = try await RedisServer()
        let process = try subscriber(server, "--count", "20000")
        _ = await process.line(containing: "subscribed")
        let lines = (0..<20_000).map(String.init)
        _ = try await publish(server, "chat", input: lines.joined(separator: "\n") + "\n")
        #expect(await process.remainingLines() == lines)
    }
}
