import BroadcasterTestSupport
import Glibc
import Testing

/// `broadcast chat`, as curl and a browser use it.
@Suite(.takesTurns, .serialized, .timeLimit(.minutes(5)))
struct ChatCommandTests {
    /// A running chat and the address that it printed.
    private struct Chat {
        let process: ServerProcess
        let address: String

        init(_ words: String...) async throws {
            process = try ServerProcess(
                [Programs.broadcast, "chat"] + (words.contains("--port") ? [] : ["--port", "0"])
                    + words)
            let line = await process.line(containing: "http://") ?? ""
            address = String(line.split(separator: " ").first { $0.hasPrefix("http") } ?? "")
        }

        var port: UInt16 { UInt16(address.split(separator: ":").last?.dropLast() ?? "") ?? 0 }
    }

    private func curl(_ words: String...) async throws -> [String] {
        let process = try ServerProcess([Programs.curl, "-s"] + words, mergesErrors: false)
        return await process.remainingLines()
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.curl), "needs curl"))
    func curlHearsWhatCurlSays() async throws {
        let chat = try await Chat()
        let listener = try ServerProcess(
            [Programs.curl, "-sNi", chat.address + "events/chatroom"], mergesErrors: false)
        #expect(await listener.line(containing: "text/event-stream") != nil)
        _ = await listener.line(containing: "")
        let told = try await curl("-d", "hello\nworld", chat.address + "publish/chatroom")
        let published = #"{"type":"published","channel":"chatroom","receivers":1,"position":"#
        #expect(told.count == 1 && told.first?.hasPrefix(published) == true)
        #expect(await listener.line(containing: "data: ") == "data: hello")
        #expect(await listener.line(containing: "data: ") == "data: world")
        listener.signal(SIGKILL)
        chat.process.signal(SIGINT)
        #expect(await chat.process.waitForExit() == 0)
    }

    /// Without a server the chat keeps its messages in memory.
    @Test(.enabled(if: Programs.areAvailable(Programs.curl), "needs curl"))
    func aListenerGoesOnWhereItStood() async throws {
        let chat = try await Chat()
        for text in ["one", "two", "three"] {
            _ = try await curl("-d", text, chat.address + "publish/r")
        }
        let newcomer = try ServerProcess(
            [Programs.curl, "-sN", chat.address + "events/r"], mergesErrors: false)
        #expect(await newcomer.line(containing: "data: ") == "data: one")
        let place = try #require(await newcomer.line(containing: "id: "))
        #expect(await newcomer.line(containing: "data: ") == "data: two")
        let returned = try ServerProcess(
            [
                Programs.curl, "-sN", "-H", "Last-Event-ID: \(place.dropFirst(4))",
                chat.address + "events/r",
            ], mergesErrors: false)
        // The first line of all: no gap comes before it.
        #expect(await returned.line(containing: "")?.hasPrefix("id: ") == true)
        #expect(await returned.line(containing: "data: ") == "data: three")
    }

    /// The chat ends and another one begins: whoever comes back hears what was said meanwhile.
    @Test(
        .enabled(
            if: Programs.areAvailable(Programs.redis, Programs.curl), "needs redis-server and curl")
    )
    func aListenerGoesOnAtAnotherChat() async throws {
        let server = try await RedisServer()
        var chat = try await Chat("--url", server.streamURL)
        for text in ["one", "two"] {
            _ = try await curl("-d", text, chat.address + "publish/r")
        }
        let first = try ServerProcess(
            [Programs.curl, "-sN", chat.address + "events/r"], mergesErrors: false)
        #expect(await first.line(containing: "data: ") == "data: one")
        let place = try #require(await first.line(containing: "id: "))
        #expect(await first.line(containing: "data: ") == "data: two")
        chat.process.signal(SIGKILL)
        _ = try await server.command("XADD", "r", "*", "message", "meanwhile")
        chat = try await Chat("--url", server.streamURL)
        let returned = try ServerProcess(
            [
                Programs.curl, "-sN", "-H", "Last-Event-ID: \(place.dropFirst(4))",
                chat.address + "events/r",
            ], mergesErrors: false)
        #expect(await returned.line(containing: "")?.hasPrefix("id: ") == true)
        #expect(await returned.line(containing: "data: ") == "data: meanwhile")
    }

    /// What is no position is as none, and that something may be missing is told; one of another room, or of a server that has
    /// begun anew, leads to the oldest message.
    @Test(
        .enabled(
            if: Programs.areAvailable(Programs.redis, Programs.curl), "needs redis-server and curl"),
        arguments: [
            ("garbage", ["event: gap", "data: one"]), ("3f9a01:17-0", ["data: one"]),
            ("1-1", ["event: gap", "data: one"]), ("9999999999999-0", ["event: gap"]),
        ])
    func anIDThatLeadsNowhereIsTold(id: String, expected: [String]) async throws {
        let server = try await RedisServer()
        let chat = try await Chat("--url", server.streamURL)
        _ = try await server.command("XADD", "r", "1795586786732-2", "message", "one")
        let listener = try ServerProcess(
            [
                Programs.curl, "-sN", "-H", "Last-Event-ID: \(id)", chat.address + "events/r",
            ], mergesErrors: false)
        for line in expected { #expect(await listener.line(containing: line) == line) }
        _ = try await curl("-d", "two", chat.address + "publish/r")
        #expect(await listener.line(containing: "data: two") == "data: two")
    }

    @Test(.enabled(if: Programs.areAvailable(Programs.curl), "needs curl"))
    func aReturningListenerIsToldThatItWasAway() async throws {
        let chat = try await Chat()
        let listener = try ServerProcess(
            [Programs.curl, "-sN", "-H", "Last-Event-ID: 7", chat.address + "events/r"],
            mergesErrors: false)
        #expect(await listener.line(containing: "event: gap") != nil)
        #expect(await listener.line(containing: "data: ")?.contains("away") == true)
    }

    @Test(
        .enabled(if: Programs.areAvailable(Programs.curl), "needs curl"),
        arguments: [
            (["/nowhere"], "404"), (["/room/x"], "200"), (["-I", "/"], "200"),
            (["-d", "x", "/"], "405"),
            (["/publish/r"], "405"), (["/ws/r"], "426"), (["-X", "DELETE", "/"], "501"),
            (["-H", "Origin: http://evil.example", "-d", "x", "/publish/r"], "403"),
            (["-H", "Origin: http://evil.example", "/events/r"], "403"), (["/events/"], "404"),
            // A page whose name was made to lead here has a Host and an Origin that agree.
            (
                [
                    "-H", "Host: evil.example", "-H", "Origin: http://evil.example", "-d", "x",
                    "/publish/r",
                ],
                "403"
            ),
            (["-H", "Host: evil.example", "/events/r"], "403"),
            (["-H", "Host: localhost", "-d", "x", "/publish/r"], "200"),
        ])
    func requestsGetTheirStatus(words: [String], status: String) async throws {
        let chat = try await Chat()
        let path = words.last ?? "/"
        let told = try ServerProcess(
            [Programs.curl, "-s", "-o", "/dev/null", "-w", "%{http_code}\n"] + words.dropLast()
                + [chat.address.dropLast() + path])
        #expect(await told.remainingLines() == [status])
    }

    @Test func anOccupiedPortIsSaid() async throws {
        let chat = try await Chat()
        let second = try ServerProcess(
            [Programs.broadcast, "chat", "--port", "\(chat.port)"])
        let lines = await second.remainingLines()
        #expect(lines.last?.contains("EADDRINUSE") == true)
        #expect(await second.waitForExit() == 1)
    }

    @Test(
        .enabled(
            if: Programs.areAvailable(Programs.redis, Programs.curl), "needs redis-server and curl")
    )
    func twoProcessesAreOneChat() async throws {
        let server = try await RedisServer()
        let one = try await Chat("--url", server.url)
        let other = try await Chat("--url", server.url)
        let listener = try ServerProcess(
            [Programs.curl, "-sNi", one.address + "events/r"], mergesErrors: false)
        _ = await listener.line(containing: "text/event-stream")
        _ = await listener.line(containing: "")
        _ = try await curl("-d", "across", other.address + "publish/r")
        #expect(await listener.line(containing: "data: ") == "data: across")
    }

    /// Two pages in a real browser; browser.py has the checks.
    @Test(
        .enabled(
            if: Programs.areAvailable(Programs.chromium, Programs.chromedriver)
                && Programs.pythonHasSelenium,
            "needs chromium, chromedriver and Python with selenium"))
    func twoPagesTalkAndComeBack() async throws {
        try await browse()
    }

    /// The same on Redis Streams, where neither the chat nor Redis takes anything along when it dies.
    @Test(
        .enabled(
            if: Programs.areAvailable(Programs.chromium, Programs.chromedriver, Programs.redis)
                && Programs.pythonHasSelenium,
            "needs chromium, chromedriver, redis-server and Python with selenium"))
    func pagesLoseNothingWhereMessagesAreKept() async throws {
        try await browse(Programs.redis)
    }

    private func browse(_ more: String...) async throws {
        let port = try FreePort.find()
        let script = #filePath.split(separator: "/").dropLast().map { "/" + $0 }.joined()
        let browser = try ServerProcess(
            [
                Programs.python, script + "/browser.py", Programs.chromium, Programs.chromedriver,
                Programs.broadcast, "\(port)",
            ] + more)
        let lines = await browser.remainingLines()
        #expect(await browser.waitForExit() == 0, "\(lines.joined(separator: "\n"))")
        #expect(lines.last == "all seen")
    }
}
