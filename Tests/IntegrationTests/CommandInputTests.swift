import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// The command's input: words, variables and descriptors, in every state.
@Suite(.takesTurns, .timeLimit(.minutes(2)))
struct CommandInputTests {
    private func run(
        _ words: [String], environment: [String: String] = [:]
    ) async throws -> (status: Int32, lines: [String]) {
        let process = try ServerProcess(words, environment: environment)
        process.closeInput()
        let lines = await process.remainingLines()
        return (await process.waitForExit(), lines)
    }

    /// Through a shell, which can close descriptors and make any bytes.
    private func shell(_ line: String) async throws -> (status: Int32, lines: [String]) {
        try await run(["/bin/sh", "-c", line])
    }

    private func broadcast(
        _ words: [String], environment: [String: String] = [:]
    ) async throws -> (status: Int32, lines: [String]) {
        try await run([Programs.broadcast] + words, environment: environment)
    }

    // MARK: Descriptors

    @Test(
        arguments: [
            ("publish c <&-", 0, "standard input is closed"), ("publish c x <&- >&-", 0, nil),
            ("publish c x <&- >&- 2>&-", 0, nil),
            ("publish --format json c x >&-", 1, "write standard output"),
            ("subscribe c >&-", 1, "standard output is closed"),
            ("subscribe c <&- >&-", 1, "standard output is closed"),
            ("subscribe --timeout 50ms c <&-", 75, "ran out"),
            ("subscribe --timeout 50ms c <&- 2>&-", 75, nil), ("ping <&-", 0, nil),
            ("ping >&-", 1, "write standard output"), ("ping <&- >&- 2>&-", 1, nil),
            ("ping >/dev/full", 1, "No space left"), ("--version >&-", 1, "write standard output"),
        ] as [(String, Int32, String?)])
    func closedDescriptorsAreNobodyElses(line: String, status: Int32, says: String?) async throws {
        let ended = try await shell("exec \(Programs.broadcast) \(line)")
        #expect(ended.status == status)
        if let says { #expect(ended.lines.last?.contains(says) == true, "\(ended.lines)") }
    }

    /// The shell's usual end of a program whose reader has gone, and the status where a parent has that ignored.
    @Test(arguments: [("", 128 + SIGPIPE), ("trap '' PIPE; ", 1)] as [(String, Int32)])
    func aReaderThatHasGoneIsToldByTheStatus(before: String, status: Int32) async throws {
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        let path = folder + "/pipe"
        #expect(mkfifo(path, 0o600) == 0)
        let reading = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        let (subscribed, continuation) = AsyncStream<ScriptedServer.Client>.makeStream()
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO") { client.send("%1\r\n+version\r\n+7.0.15\r\n") }
            if text.contains("SUBSCRIBE\r\n$1\r\nc") {
                client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
                continuation.yield(client)
            }
        }
        // It answers no PING, which a loaded machine has time for.
        let url = "redis://127.0.0.1:\(server.port)?ping=1000s"
        let process = try ServerProcess([
            "/bin/sh", "-c",
            "\(before)exec \(Programs.broadcast) subscribe --url \(url) c >\(path)",
        ])
        var clients = subscribed.makeAsyncIterator()
        let client = await clients.next()
        close(reading)
        // More than a pipe holds: another test's child may have the end for a moment, between fork and exec.
        let message = String(repeating: "x", count: 200_000)
        client?.send(">3\r\n+message\r\n+c\r\n$200000\r\n\(message)\r\n")
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() == status, "\(lines)")
    }

    // MARK: Words

    @Test(arguments: [
        ("publish \"$(printf 'caf\\351')\" x", "the channel's name is not UTF-8"),
        ("subscribe a \"$(printf 'caf\\351')\"", "caf\\xE9"),
        ("subscribe --pattern \"$(printf '\\377*')\"", "the pattern's name is not UTF-8"),
        ("ping --url \"redis://:$(printf 'SECRET\\377')@h\"", "the value of --url is not UTF-8"),
        ("\"$(printf '\\377')\"", "unknown command \"\\xFF\""),
    ])
    func bytesThatHaveToBeTextAreRefused(line: String, says: String) async throws {
        let ended = try await shell("exec \(Programs.broadcast) \(line)")
        #expect(ended.status == 64)
        #expect(ended.lines.last?.contains(says) == true, "\(ended.lines)")
        #expect(!ended.lines.joined().contains("SECRET"))
    }

    @Test(arguments: [
        (["ping", "--url", "memory://", "--url", "memory://"], "--url is given twice"),
        (["ping", "--url=memory://", "--url", "memory://"], "--url is given twice"),
        (["ping", "--trace", "--trace"], "--trace is given twice"),
        (["subscribe", "--count", "1", "--count", "1", "c"], "--count is given twice"),
        (["ping", "--trace=yes"], "--trace takes no value"),
        (["ping", "--url", ""], "--url is empty"), (["ping", "--url="], "--url is empty"),
        (["ping", "--url", "memory:// "], "begins or ends with a blank"),
        (["ping", "--url", "memory://\n"], "control character"),
        (["publish", "c", "--5"], "a channel or message that begins with -- comes after -- alone"),
        (["subscribe", "--x"], "a channel that begins with -- comes after -- alone"),
        (["subscribe", "--timeout", "x", "c"], "or 500ms, 1s, 2m, not \"x\""),
        (["subscribe", "--timeout", "0", "c"], "--timeout takes seconds above zero"),
        (["subscribe", "--timeout", "0ms", "c"], "--timeout takes seconds above zero"),
        (["subscribe", "--timeout", "1e3", "c"], "--timeout takes seconds above zero"),
        (["subscribe", "--timeout", "1d", "c"], "--timeout takes seconds above zero"),
    ])
    func mistakesAre64AndNamed(words: [String], says: String) async throws {
        let ended = try await broadcast(words)
        #expect(ended.status == 64)
        #expect(ended.lines.last?.contains(says) == true, "\(ended.lines)")
    }

    /// A URL in the wrong place.
    @Test(arguments: [
        ["redis://:SECRET@h"], ["ping", "--urlredis://:SECRET@h"], ["ping", "redis://:SECRET@h"],
        ["ping", "--redis://:SECRET@h=x"], ["ping", "--trace=redis://:SECRET@h"],
        ["ping", "--url", "redis://:p@SECRET/x@h"],
    ])
    func aPasswordIsNotShownThereEither(words: [String]) async throws {
        let ended = try await broadcast(words)
        #expect(ended.status == 64)
        #expect(!ended.lines.joined().contains("SECRET"), "\(ended.lines)")
    }

    @Test(arguments: ["50ms", "0.05", "0.05s", "0.0005m"])
    func aTimeoutIsWrittenAsInURLs(text: String) async throws {
        let ended = try await broadcast(["subscribe", "c", "--timeout", text])
        #expect(ended.status == 75)
    }

    @Test func aMessageMayLookLikeAnOption() async throws {
        for words in [["--", "c", "--5"], ["c", "-5"], ["c", "--", "--"], ["--", "--c", "-h"]] {
            #expect(try await broadcast(["publish"] + words).status == 0)
        }
    }

    @Test func aChannelThatIsNamedTwiceIsToldOnce() async throws {
        let ended = try await broadcast(["subscribe", "--timeout", "50ms", "a", "a", "b", "a"])
        #expect(ended.lines.prefix(2) == ["subscribed to a", "subscribed to b"])
        #expect(ended.lines.count { $0.hasPrefix("subscribed") } == 2)
    }

    @Test func theVersionIsTold() async throws {
        let ended = try await broadcast(["--version"])
        #expect(ended.status == 0)
        #expect(ended.lines.count == 1)
        #expect(ended.lines.first?.hasPrefix("broadcast ") == true)
    }

    // MARK: The server

    @Test(
        arguments: [
            (["publish", "a", "b"], 0, "nobody else hears this"),
            (["publish", "--url", "memory://", "a", "b"], 0, "nobody else hears this"),
            (["publish", "a"], 0, "nobody else hears this"),
            (["subscribe", "--timeout", "50ms", "a"], 75, "nobody else can publish here"),
            (
                ["subscribe", "--timeout", "50ms", "--format", "json", "a"], 75,
                "nobody else can publish"
            ),
        ] as [([String], Int32, String)])
    func memoryIsSaidToBeHeardByNobody(words: [String], status: Int32, says: String) async throws {
        let ended = try await broadcast(words)
        #expect(ended.status == status)
        #expect(ended.lines.contains { $0.contains(says) && $0.contains("$BROADCAST_URL") })
    }

    @Test(
        arguments: [
            ("memory://\n", 0, nil), (" \t memory:// \r\n", 0, nil),
            ("", 64, "$BROADCAST_URL is empty"),
            (" \n", 64, "$BROADCAST_URL is empty"),
            ("memory://\nx", 64, "$BROADCAST_URL: a line break"),
            ("redis://h:x", 64, "invalid URL: $BROADCAST_URL: the port is not a number"),
            ("localhost", 64, "$BROADCAST_URL: the URL has no scheme"),
        ] as [(String, Int32, String?)])
    func theVariableIsTrimmedAndNamed(url: String, status: Int32, says: String?) async throws {
        let ended = try await broadcast(["ping"], environment: ["BROADCAST_URL": url])
        #expect(ended.status == status)
        if let says { #expect(ended.lines.last?.contains(says) == true, "\(ended.lines)") }
    }

    @Test func theOptionGoesBeforeTheVariable() async throws {
        let ended = try await broadcast(
            ["ping", "--url", "memory://"], environment: ["BROADCAST_URL": "x"])
        #expect(ended.status == 0)
    }

    @Test(arguments: [
        ("PGCONNECT_TIMEOUT", "abc"), ("PGSSLMODE", "maybe"), ("PGSERVICE", "app"),
        ("PGPORT", "x"),
    ])
    func aVariableOfLibpqThatCannotBeObeyedIsNamed(name: String, value: String) async throws {
        let ended = try await broadcast(
            ["ping", "--url", "postgres://u@127.0.0.1"], environment: [name: value])
        #expect(ended.status == 64)
        #expect(ended.lines.last?.contains(name) == true, "\(ended.lines)")
    }

    /// The last reason why there is no connection is what a timeout ends with.
    @Test func aTimeoutTellsWhyThereIsNoConnection() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            guard client.number == 0 else { return client.send("-LOADING come back later\r\n") }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO") { client.send("%1\r\n+version\r\n+7.0.15\r\n") }
            if text.contains("SUBSCRIBE\r\n$1\r\nc") {
                client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
                client.close()
            }
        }
        let url = "redis://127.0.0.1:\(server.port)?protocol=3"
        let ended = try await broadcast(["subscribe", "--url", url, "--timeout", "1s", "c"])
        #expect(ended.status == 75)
        #expect(
            ended.lines.last?.contains("the time of 1.000 s ran out; there was no connection")
                == true, "\(ended.lines)")
        #expect(ended.lines.last?.contains("come back later") == true, "\(ended.lines)")
    }
}

/// The bytes of a message, through a real server.
@Suite(
    .takesTurns,
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
    .timeLimit(.minutes(2)))
struct CommandBytesTests {
    @Test func aMessageHasTheBytesThatWereGiven() async throws {
        let server = try await RedisServer()
        let subscriber = try ServerProcess(
            [
                Programs.broadcast, "subscribe", "--url", server.url, "--format", "json", "--count",
                "1",
                "raw", "raw",
            ], mergesErrors: false)
        _ = await subscriber.line(containing: "subscribed")
        let line =
            "exec \(Programs.broadcast) publish --url \(server.url) raw \"$(printf 'caf\\351')\""
        let publisher = try ServerProcess(["/bin/sh", "-c", line])
        #expect(await publisher.remainingLines().isEmpty)
        #expect(await publisher.waitForExit() == 0)
        let lines = await subscriber.remainingLines()
        #expect(lines == [#"{"type":"message","channel":"raw","base64":"Y2Fm6Q=="}"#])
    }

    /// Its own pipe took number 0 or 1, and was read, or written to.
    @Test func aSubscriberWithoutStandardInputPrintsMessages() async throws {
        let server = try await RedisServer()
        let command = "exec \(Programs.broadcast) subscribe --url \(server.url) --count 1 c <&-"
        let subscriber = try ServerProcess(["/bin/sh", "-c", command])
        _ = await subscriber.line(containing: "subscribed")
        _ = try await server.command("PUBLISH", "c", "hello")
        #expect(await subscriber.remainingLines() == ["hello"])
        #expect(await subscriber.waitForExit() == 0)
    }

    @Test func aPublisherWithoutStandardInputPublishesNothing() async throws {
        let server = try await RedisServer()
        let command = "exec \(Programs.broadcast) publish --url \(server.url) c <&-"
        let publisher = try ServerProcess(["/bin/sh", "-c", command])
        #expect(await publisher.remainingLines().last?.contains("standard input is closed") == true)
        #expect(await publisher.waitForExit() == 0)
    }
}
