import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// Real servers that are set up in uncommon ways.
@Suite(
    .takesTurns,
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
    .serialized, .timeLimit(.minutes(5)))
struct RedisLookalikeTests {
    static let protocols = ["protocol=3", "protocol=2"]

    private func connected(_ url: String) async throws -> Broadcast {
        var options = BroadcastOptions()
        options.connectTimeout = .seconds(60)
        options.subscribeTimeout = .seconds(60)
        options.publishTimeout = .seconds(60)
        let broadcast = try Broadcast(url.patient, options: options)
        try await broadcast.connect()
        return broadcast
    }

    private func refusal(_ url: String) async -> String {
        do {
            try await connected(url).disconnect()
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test(arguments: protocols)
    func anEmptyPasswordIsNone(query: String) async throws {
        let server = try await RedisServer()
        for login in [":@", ""] {
            let broadcast = try await connected("redis://\(login)127.0.0.1:\(server.port)?\(query)")
            #expect(try await broadcast.publish("x", to: "c").receivers == 0)
            await broadcast.disconnect()
        }
    }

    @Test func aServerWithoutHELLOAndCLIENTIsTakenWithoutAName() async throws {
        let server = try await RedisServer([
            "--rename-command", "HELLO", "", "--rename-command", "CLIENT", "",
        ])
        let broadcast = try await connected(server.url + "?client_name=web1")
        #expect(try await broadcast.publish("x", to: "c").receivers == 0)
        await broadcast.disconnect()
    }

    @Test(arguments: protocols)
    func aDatabaseOutOfRangeIsCalledNeedless(query: String) async throws {
        let server = try await RedisServer()
        let text = await refusal(server.url + "/99?\(query)")
        #expect(text.contains("PUB/SUB needs no database, drop the /99"))
    }

    @Test(arguments: protocols)
    func aSentinelIsRecognised(query: String) async throws {
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        for attempt in 1...10 {
            let port = try FreePort.find()
            let file = folder + "/\(attempt).conf"
            TemporaryFolder.write("port \(port)\nbind 127.0.0.1\n", to: file)
            let sentinel = try ServerProcess([Programs.redis, file, "--sentinel"])
            guard await sentinel.line(containing: "Sentinel ID is") != nil else { continue }
            let text = await refusal("redis://127.0.0.1:\(port)?\(query)")
            #expect(text.contains("this is a sentinel"))
            return
        }
        Issue.record("no sentinel started")
    }

    /// PUBLISH is held back, and behind it the PING of the same connection.
    @Test(arguments: protocols)
    func aPauseOfWritesIsDelayAndNoLoss(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(server.url + "?\(query)&ping=600ms")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        _ = try await server.command("CLIENT", "PAUSE", "6000", "WRITE")
        _ = try await server.command("PUBLISH", "c", "late")
        #expect(try await sight.next() == "late")
        #expect(broadcast.statistics.reconnects == 0)
        await broadcast.disconnect()
    }

    /// The pause does not hide the server's end.
    @Test(arguments: protocols)
    func aServerThatHangsInAPauseIsGivenUp(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(server.url + "?\(query)&ping=600ms")
        let subscription = try await broadcast.subscribe(to: "c")
        _ = try await server.command("CLIENT", "PAUSE", "600000", "WRITE")
        await server.signal(SIGSTOP, waits: false)
        let error = await broadcast.waitUntilDown()
        #expect(error?.description.contains("silent") == true)
        await server.signal(SIGCONT, waits: false)
        subscription.cancel()
        await broadcast.disconnect()
    }

    @Test(arguments: protocols)
    func channelsAreToldApartByTheirBytes(query: String) async throws {
        let server = try await RedisServer()
        let broadcast = try await connected(server.url + "?\(query)")
        let names: [[UInt8]] = [[0x6b, 0xff], [0x6b, 0xfe], Array("k\u{FFFD}".utf8)]
        let all = try await broadcast.subscribe(toBytes: names[0], names[1], names[2])
        let matching = try await broadcast.subscribe(toPatterns: "k*")
        #expect(all.channels == ["k\u{FFFD}", "k\u{FFFD}", "k\u{FFFD}"])
        let publisher = try ServerProcess([Programs.redisCLI, "-s", server.socketPath])
        for name in names {
            let quoted = name.map { "\\x" + String($0, radix: 16) }.joined()
            publisher.write("PUBLISH \"\(quoted)\" x\n")
        }
        for subscription in [all, matching] {
            var seen: [Message] = []
            for try await message in subscription {
                seen.append(message)
                if seen.count == 3 { break }
            }
            #expect(seen.map(\.channelBytes) == names)
            #expect(seen.map(\.validChannel) == [nil, nil, "k\u{FFFD}"])
        }
        await broadcast.disconnect()
    }

    @Test func theCommandWritesSuchNamesInBase64() async throws {
        let server = try await RedisServer()
        let command = try ServerProcess([
            Programs.broadcast, "subscribe", "--url", server.url, "--pattern", "--format", "json",
            "--count", "2", "k*",
        ])
        #expect(await command.line(containing: "subscribed") != nil)
        let publisher = try ServerProcess([Programs.redisCLI, "-s", server.socketPath])
        publisher.write("PUBLISH \"k\\xff\\xfe\" x\nPUBLISH \"k\\xff\\xfd\" x\n")
        let lines = await command.remainingLines()
        #expect(
            lines.map { $0.contains(#""channel_base64":"a//"#) } == [true, true]
                && Set(lines).count == 2, "\(lines)")
    }
}
