import Broadcaster
import BroadcasterPostgres
import BroadcasterTestSupport
import BroadcasterTesting
import Synchronization
import Testing

private let hello = "%2\r\n+version\r\n+7.0.15\r\n+proto\r\n:3\r\n"

/// Servers that lie, fall silent, or go away in the worst moment.
@Suite(.timeLimit(.minutes(2)))
struct ScriptedServerTests {
    /// A server that greets and then does what `script` says with what comes after.
    private func server(
        _ script: @escaping @Sendable (ScriptedServer.Client, String) -> Void
    ) throws -> ScriptedServer {
        try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            // Later ones, without a number, ask for the role, and are the script's.
            if text.contains("HELLO\r\n$1") { return client.send(hello) }
            script(client, text)
        }
    }

    private func broadcast(
        to server: ScriptedServer, _ query: String = ""
    ) throws -> Broadcast {
        try Broadcast(
            "redis://127.0.0.1:\(server.port)?\(query)", options: ScriptedServerTests.patient)
    }

    private func expectUnknownOutcome(
        of publishing: () async throws -> Void, at location: SourceLocation = #_sourceLocation
    ) async {
        let error = await #expect(throws: BroadcastError.self, sourceLocation: location) {
            try await publishing()
        }
        guard case .outcomeUnknown? = error else {
            Issue.record("\(String(describing: error))", sourceLocation: location)
            return
        }
    }

    /// A test may run on a machine that is busy with all the others.
    private static let patient: BroadcastOptions = {
        var options = BroadcastOptions()
        options.connectTimeout = .seconds(50)
        options.publishTimeout = .seconds(50)
        options.subscribeTimeout = .seconds(50)
        // Most scripts do not answer PING.
        options.pingInterval = .seconds(100)
        return options
    }()

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n\r\n", "*4611686018427387904\r\n", "$99999999999\r\n",
        String(repeating: "*1\r\n", count: 100_000), "\0\0\0\0", "+OK\n",
    ])
    func garbageIsAViolationAtOnce(garbage: String) async throws {
        let server = try ScriptedServer { happening, client in
            if case .connected = happening { client.send(garbage) }
        }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast(to: server).connect()
        }
        guard case .protocolViolation? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func tasksMayRunWhereTheConnectionIsServed() async throws {
        let server = try server { client, text in
            if text.contains("PUBLISH") { client.send(":1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        #expect(broadcast.executor == nil)
        try await broadcast.connect()
        try await withTaskExecutorPreference(broadcast.executor) {
            for _ in 0..<100 {
                let count = try await broadcast.publish("x", to: "c")
                #expect(count == 1)
            }
            await broadcast.disconnect()
        }
        #expect(broadcast.executor == nil)
    }

    @Test func aServerThatHangsUpIsUnreachable() async throws {
        let server = try ScriptedServer { happening, client in
            if case .connected = happening { client.close() }
        }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast(to: server).connect()
        }
        guard case .unreachable? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aServerThatSaysNothingIsGivenUpAtTheDeadline() async throws {
        let server = try ScriptedServer { _, _ in }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast(to: server, "connect_timeout=50ms").connect()
        }
        guard case .timedOut? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func aServerThatIsLoadingIsWaitedFor() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received = happening else { return }
            client.send(client.number < 2 ? "-LOADING Redis is loading\r\n" : hello)
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        #expect(server.connections == 3)
        await broadcast.disconnect()
    }

    @Test func connectingCanBeCancelled() async throws {
        let (connected, continuation) = AsyncStream<Void>.makeStream()
        let server = try ScriptedServer { happening, _ in
            if case .connected = happening { continuation.yield() }
        }
        let broadcast = try broadcast(to: server)
        let task = Task { try await broadcast.connect() }
        for await _ in connected { break }
        task.cancel()
        await #expect(throws: BroadcastError.cancelled) { try await task.value }
    }

    @Test func aCancelledCallOfConnectIsNobodyElsesEnd() async throws {
        let server = try server { client, text in
            if text.contains("PUBLISH") { client.send(":1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        let cancelled = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            try await broadcast.connect()
        }
        _ = await cancelled.result
        #expect(try await broadcast.publish("x", to: "c") == 1)
        await broadcast.disconnect()
    }

    /// A new connection while the old one is still saying goodbye is another's affair.
    @Test func connectingAgainWhileDisconnecting() async throws {
        let (asked, continuation) = AsyncStream<Void>.makeStream()
        let server = try server { client, text in
            if text.contains("slow") { continuation.yield() }
            if text.contains("SUBSCRIBE") { client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n") }
        }
        var options = ScriptedServerTests.patient
        options.shutdownTimeout = .milliseconds(200)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let publishing = Task { try? await broadcast.publish("slow", to: "c") }
        for await _ in asked { break }
        let disconnecting = Task { await broadcast.disconnect() }
        while server.connections < 2 {
            try await broadcast.connect()
            await Task.yield()
        }
        let subscription = try await broadcast.subscribe(to: "c")
        await disconnecting.value
        _ = await publishing.value
        #expect(broadcast.statistics.subscribers == 1)
        guard case .ready = broadcast.currentStatus else {
            Issue.record("\(broadcast.currentStatus)")
            return
        }
        subscription.cancel()
        await broadcast.disconnect()
    }

    /// As Redis 5 does when it does not know HELLO.
    @Test(arguments: [
        "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `hunter2`, \r\n",
        "-ERR no such thing as HELLO 3 AUTH default hunter2\r\n",
    ])
    func aServerThatRepeatsThePasswordDoesNotSpreadIt(answer: String) async throws {
        let server = try ScriptedServer { happening, client in
            if case .received = happening { client.send(answer) }
        }
        let lines = Mutex<[String]>([])
        var options = ScriptedServerTests.patient
        options.trace = { line in lines.withLock { $0.append(line) } }
        let broadcast = try Broadcast("redis://:hunter2@127.0.0.1:\(server.port)", options: options)
        let error = await #expect(throws: BroadcastError.self) { try await broadcast.connect() }
        #expect(!"\(String(describing: error))".contains("hunter2"))
        #expect(!lines.withLock { $0 }.joined().contains("hunter2"))
    }

    @Test func aBusyServerIsAskedAgain() async throws {
        let server = try server { client, text in
            guard text.contains("SUBSCRIBE") else { return }
            client.send(
                client.number == 0
                    ? "-BUSY Redis is busy running a script\r\n"
                    : ">3\r\n+subscribe\r\n+c\r\n:1\r\n")
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        _ = try await broadcast.subscribe(to: "c")
        #expect(server.connections == 2)
        await broadcast.disconnect()
    }

    /// Fault 28: nobody gets another's answer.
    @Test func theAnswerToACancelledPublishIsNobodysElse() async throws {
        let (asked, continuation) = AsyncStream<ScriptedServer.Client>.makeStream()
        let server = try server { client, text in
            if text.contains("first") { continuation.yield(client) }
            if text.contains("second") { client.send(":1\r\n:2\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        let first = Task { try await broadcast.publish("first", to: "c") }
        for await _ in asked { break }
        first.cancel()
        await expectUnknownOutcome { _ = try await first.value }
        #expect(try await broadcast.publish("second", to: "c") == 2)
        await broadcast.disconnect()
    }

    /// Answers that are numbers, and no `Int`; or end in the middle of one.
    @Test(arguments: [
        ":99999999999999999999\r\n", ":" + String(repeating: "9", count: 10_000) + "\r\n",
        ":-99999999999999999999\r\n", ":\r\n", ":1\n", ":12345678901x\r\n",
    ])
    func anAnswerThatIsNoNumberIsAViolation(answer: String) async throws {
        let server = try server { client, text in
            if text.contains("PUBLISH") { client.send(answer) }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        await expectUnknownOutcome { _ = try await broadcast.publish("x", to: "c") }
        await broadcast.disconnect()
    }

    /// What it says keeps its heartbeat; what it owes decides.
    @Test func aServerThatTalksAndAnswersNothingIsGivenUp() async throws {
        let server = try server { client, text in
            if text.contains("PING") { client.send(">2\r\n+x\r\n+y\r\n") }
        }
        let verdict = Verdict()
        var options = ScriptedServerTests.patient
        options.publishTimeout = .milliseconds(200)
        options.pingInterval = .milliseconds(200)
        options.log = { verdict.note($0) }
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        // Where the machine is so busy that PING has no answer in time, the connection is lost for that.
        while !verdict.isFound {
            _ = try? await broadcast.publish("x", to: "c")
            _ = try? await broadcast.ping()
        }
        await broadcast.disconnect()
    }

    /// The same for channels: nobody stays without a gap on a connection that never has them.
    @Test func aServerThatNeverConfirmsIsGivenUp() async throws {
        let verdict = Verdict()
        let hasConfirmed = Mutex(false)
        let server = try server { client, text in
            if text.contains("PING") { client.send(">2\r\n+x\r\n+y\r\n") }
            guard text.contains("SUBSCRIBE\r\n$1\r\nc\r\n") else { return }
            let isFirst = hasConfirmed.withLock { flag in
                defer { flag = true }
                return !flag
            }
            guard isFirst || verdict.isFound else { return }
            client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
            if isFirst { client.close() }
        }
        var options = ScriptedServerTests.patient
        options.publishTimeout = .seconds(1)
        options.pingInterval = .seconds(5)
        options.log = { verdict.note($0) }
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        var events = try await broadcast.subscribe(to: "c").events.makeAsyncIterator()
        guard case .gap? = try await events.next() else {
            Issue.record("no gap")
            return
        }
        await broadcast.disconnect()
    }

    /// Notes, from a log, that a connection was given up for what its server owed.
    private final class Verdict: Sendable {
        private let found = Mutex(false)
        var isFound: Bool { found.withLock { $0 } }

        func note(_ entry: BroadcastLogEntry) {
            if entry.message.contains("has not answered for") { found.withLock { $0 = true } }
        }
    }

    @Test func aPingCanBeCancelled() async throws {
        let (asked, continuation) = AsyncStream<ScriptedServer.Client>.makeStream()
        let server = try server { client, text in
            if text.contains("PING") { continuation.yield(client) }
            if text.contains("PUBLISH") { client.send("+PONG\r\n:1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        let ping = Task { try await broadcast.ping() }
        for await _ in asked { break }
        ping.cancel()
        await #expect(throws: BroadcastError.cancelled) { _ = try await ping.value }
        // Its answer comes later, and is nobody else's.
        #expect(try await broadcast.publish("x", to: "c") == 1)
        await broadcast.disconnect()
    }

    /// Whoever is cancelled while connecting takes nobody along.
    @Test func connectingBesideACancelledConnect() async throws {
        let server = try server { _, _ in }
        for _ in 0..<200 {
            let broadcast = try broadcast(to: server)
            let other = Task { try await broadcast.connect() }
            let cancelled = Task { try? await broadcast.connect() }
            cancelled.cancel()
            try await other.value
            await cancelled.value
            guard case .ready = broadcast.currentStatus else {
                Issue.record("\(broadcast.currentStatus)")
                return
            }
            await broadcast.disconnect()
        }
    }

    @Test func theStatusEndsWithItsBroadcast() async throws {
        let status: AsyncStream<BroadcastStatus>
        do {
            let broadcast = try Broadcast("memory://")
            status = broadcast.status
            try await broadcast.connect()
        }
        for await _ in status {}
    }

    /// Beyond the limit that the user has set; what comes after it is delivered.
    @Test(arguments: [
        ("c", ">3\r\n+message\r\n+c\r\n$11\r\nhello world\r\n", "+"),
        ("c", ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$11\r\nhello world\r\n", "$9\r\n"),
        (
            "*",
            ">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$11\r\nhello world\r\n", "+p"
        ),
    ])
    func aMessageBeyondTheLimitIsAGap(topic: String, message: String, kind: String) async throws {
        let small = message.replacing("$11\r\nhello world", with: "$10\r\nhello, you")
        let server = try server { client, text in
            guard text.contains("SUBSCRIBE\r\n$1\r\n") else { return }
            client.send(">3\r\n\(kind)subscribe\r\n+\(topic)\r\n:1\r\n" + message + small)
        }
        let broadcast = try broadcast(to: server, "max_message_size=10")
        try await broadcast.connect()
        let subscription =
            topic == "*"
            ? try await broadcast.subscribe(toPatterns: "*")
            : try await broadcast.subscribe(to: topic)
        var events = subscription.events.makeAsyncIterator()
        guard case .gap(let gap)? = try await events.next(), case .incomplete = gap.reason,
            case .message(let next)? = try await events.next()
        else {
            Issue.record("no gap and message")
            return
        }
        #expect(next.text == "hello, you")
        await broadcast.disconnect()
    }

    /// That it is refused the second time says nothing of the first.
    @Test func atLeastOnceThatIsRefusedLaterIsUnknown() async throws {
        let server = try server { client, text in
            guard text.contains("PUBLISH") else { return }
            client.number == 0 ? client.close() : client.send("-NOPERM no\r\n")
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        await expectUnknownOutcome {
            _ = try await broadcast.publish("x", to: "c", retry: .atLeastOnce)
        }
        await broadcast.disconnect()
    }

    /// Why there is no connection is told, not only that the time is over.
    @Test func theReasonOfALateConnectIsTold() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received = happening else { return }
            client.send("-ERR max number of clients reached\r\n")
            client.close()
        }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast(to: server, "connect_timeout=300ms").connect()
        }
        #expect(
            error?.description.contains("max number of clients") == true,
            "\(String(describing: error))")
    }

    /// What was not sent to a replica is not unknown.
    @Test func aReplicaIsSentNothingOfALargeBatch() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            if String(decoding: bytes, as: UTF8.self).contains("HELLO") {
                client.send("%3\r\n+version\r\n+7.0.15\r\n+proto\r\n:3\r\n+role\r\n+replica\r\n")
            }
        }
        let broadcast = try broadcast(to: server, "publish_timeout=1s")
        try await broadcast.connect()
        let texts = Array(repeating: String(repeating: "x", count: 100), count: 2000)
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish(contentsOf: texts, to: "c")
        }
        guard case .incomplete(let outcomes)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        for outcome in outcomes {
            if case .failure(.outcomeUnknown(let reason)) = outcome { Issue.record("\(reason)") }
        }
        await broadcast.disconnect()
    }

    /// Names that match a pattern are anybody's to choose; a subscriber's buffer counts payloads.
    @Test func aChannelWithAnEndlessNameIsAGap() async throws {
        let name = String(repeating: "n", count: 16_385)
        let server = try server { client, text in
            guard text.contains("PSUBSCRIBE") else { return }
            client.send(">3\r\n$10\r\npsubscribe\r\n$1\r\n*\r\n:1\r\n")
            client.send(">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$16385\r\n\(name)\r\n$1\r\nx\r\n")
            client.send(">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$1\r\ny\r\n")
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        var events = try await broadcast.subscribe(toPatterns: "*").events.makeAsyncIterator()
        guard case .gap(let gap)? = try await events.next(), case .incomplete = gap.reason,
            case .message(let message)? = try await events.next()
        else {
            Issue.record("no gap and message")
            return
        }
        #expect(message.text == "y")
        await broadcast.disconnect()
    }

    @Test func aConnectionLostBeforeTheAnswerLeavesTheOutcomeUnknown() async throws {
        let server = try server { client, text in
            if text.contains("PUBLISH") { client.close() }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        await expectUnknownOutcome { _ = try await broadcast.publish("x", to: "c") }
        await broadcast.disconnect()
    }

    @Test func aServerThatDoesNotAnswerAPublishIsNotWaitedForForEver() async throws {
        let server = try server { _, _ in }
        let broadcast = try broadcast(to: server, "publish_timeout=1s")
        try await broadcast.connect()
        await expectUnknownOutcome { _ = try await broadcast.publish("x", to: "c") }
        await broadcast.disconnect()
    }

    @Test func anUnconfirmedSubscriptionTimesOutAndLeavesNothing() async throws {
        let server = try server { _, _ in }
        var options = ScriptedServerTests.patient
        options.subscribeTimeout = .milliseconds(50)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: "c")
        }
        guard case .timedOut? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(broadcast.statistics.subscribers == 0)
        await broadcast.disconnect()
    }

    /// Fault 27: the late confirmation is taken, and then unsubscribed.
    @Test func aCancelledSubscriptionIsLeftAgainWhenItsConfirmationComes() async throws {
        let (asked, continuation) = AsyncStream<(ScriptedServer.Client, String)>.makeStream()
        let server = try server { client, text in continuation.yield((client, text)) }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        let task = Task { try await broadcast.subscribe(to: "c") }
        var requests = asked.makeAsyncIterator()
        let client = await requests.next()?.0
        task.cancel()
        await #expect(throws: BroadcastError.cancelled) { _ = try await task.value }
        client?.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
        let request = await requests.next()?.1
        #expect(request?.contains("UNSUBSCRIBE") == true)
        await broadcast.disconnect()
    }

    /// Faults 21 and 22 after a good beginning: the connection ends, the link comes back.
    @Test(arguments: [
        ":1\r\n", "*4611686018427387904\r\n", ">3\r\n$7\r\nmessage\r\n$-5\r\n", "@",
        ">3\r\n+message\r\n+c\r\n_\r\n", ">2\r\n+message\r\n+c\r\n",
        ">4\r\n+message\r\n+c\r\n+x\r\n+y\r\n", ">3\r\n+message\r\n+c\r\n:5\r\n",
        ">3\r\n+pmessage\r\n+c\r\n+x\r\n", ">4\r\n+subscribe\r\n+c\r\n:1\r\n:1\r\n",
    ])
    func aViolationLaterOnIsAGapAndANewConnection(garbage: String) async throws {
        let server = try server { client, text in
            guard text.contains("SUBSCRIBE") else { return }
            client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n")
            client.send("$1\r\n\(client.number)\r\n")
            if client.number == 0 { client.send(garbage) }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        var seen: [String] = []
        for try await event in try await broadcast.subscribe(to: "c").events {
            switch event {
            case .message(let message): seen.append(message.text)
            case .gap(let gap):
                guard case .reconnected = gap.reason else { continue }
                seen.append("gap")
            }
            if seen.count == 3 { break }
        }
        #expect(seen == ["0", "gap", "1"])
        #expect(broadcast.statistics.reconnects == 1)
        await broadcast.disconnect()
    }

    @Test func aSilentServerIsNoticedByPing() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO\r\n$1") { client.send(hello) }
            if text.hasSuffix("SUBSCRIBE\r\n$1\r\nc\r\n") {
                client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
            }
        }
        let broadcast = try broadcast(to: server, "ping=40ms")
        try await broadcast.connect()
        for try await event in try await broadcast.subscribe(to: "c").events {
            guard case .gap(let gap) = event, case .reconnected(_, let text) = gap.reason else {
                continue
            }
            #expect(text.contains("silent"))
            break
        }
        await broadcast.disconnect()
    }

    /// Fault 55: SIGPIPE would end this process.
    @Test func writingToAClosedConnectionIsSurvived() async throws {
        let server = try server { client, _ in client.close() }
        let broadcast = try broadcast(to: server, "publish_timeout=1s")
        try await broadcast.connect()
        for _ in 0..<20 { _ = try? await broadcast.publish("x", to: "c") }
        await broadcast.disconnect()
    }

    @Test func aPublishHeldUpByALostConnectionGoesOutOnTheNext() async throws {
        let server = try server { client, text in
            if text.contains("cut") { return client.close() }
            if text.contains("PUBLISH") { client.send(":1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        try await broadcast.connect()
        _ = try? await broadcast.publish("cut", to: "c")
        #expect(try await broadcast.publish("later", to: "c") == 1)
        await broadcast.disconnect()
    }

    /// However much is published at once, what the connection holds stays within its limit.
    @Test func noMoreIsTakenThanMayWaitForTheKernel() async throws {
        let payload = String(repeating: "x", count: 100)
        let command = "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$100\r\n\(payload)\r\n"
        let size = command.utf8.count
        let received = Mutex(0)
        let server = try server { client, text in
            let answers = received.withLock { received in
                defer { received += text.utf8.count }
                return (received + text.utf8.count) / size - received / size
            }
            client.send(String(repeating: ":1\r\n", count: answers))
        }
        let longest = Mutex(0)
        var options = ScriptedServerTests.patient
        options.unsentBytes = 1000
        options.trace = { line in
            guard line.hasPrefix("C: ") else { return }
            longest.withLock { $0 = max($0, line.utf8.count) }
        }
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let results = try await broadcast.publish(
            contentsOf: repeatElement(payload, count: 1000), to: "c")
        #expect(results.count == 1000)
        // Ten messages, and what RESP adds to each, escaped.
        #expect(longest.withLock { $0 } <= 2000)
        await broadcast.disconnect()
    }

    /// What the server says beside the point comes into the log, but a flood of it does not.
    @Test func warningsAreLoggedAndDoNotFloodTheLog() async throws {
        func bytes(_ messages: [ServerMessage]) -> [UInt8] {
            messages.reduce(into: []) { $1.append(to: &$0) }
        }
        let ready = ServerMessage.readyForQuery(.idle)
        let greeting = bytes([
            .authentication(.ok), .backendKeyData(process: 42, key: [1, 2, 3, 4]), ready,
        ])
        let prepared = bytes([
            .parseComplete, .parseComplete, ready, .parseComplete, .bindComplete,
            .dataRow([Array("42".utf8)]), .commandComplete("SELECT 1"), ready,
        ])
        let warning = ServerMessage.noticeResponse(
            ServerError(severity: "WARNING", code: "01000", message: "NOTIFY queue is 50% full"))
        let flood = bytes(Array(repeating: warning, count: 1000) + [.emptyQuery, ready])
        let isGreeted = Mutex(false)
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            // The empty query that `ping` is.
            if bytes.starts(with: "Q".utf8) { return client.send(flood) }
            client.send(isGreeted.withLock { $0 } ? prepared : greeting)
            isGreeted.withLock { $0 = true }
        }
        let lines = Mutex<[BroadcastLogEntry]>([])
        var options = ScriptedServerTests.patient
        options.log = { entry in lines.withLock { $0.append(entry) } }
        let broadcast = try Broadcast(
            "postgres://someone@127.0.0.1:\(server.port)/d", options: options)
        try await broadcast.connect()
        _ = try await broadcast.ping()
        await broadcast.disconnect()
        let warnings = lines.withLock { $0.filter { $0.level == .warning } }
        #expect(
            warnings.first?.message
                == "the server warns: NOTIFY queue is 50% full (SQLSTATE 01000)")
        // One a second, however busy the machine is.
        #expect(warnings.count < 100)
    }

    /// The second one waits for the first, and cuts nothing short.
    @Test func disconnectingTwiceAtOnceIsOneGoodbye() async throws {
        let (asked, continuation) = AsyncStream<ScriptedServer.Client>.makeStream()
        let (left, leaving) = AsyncStream<Void>.makeStream()
        let server = try server { client, text in
            if text.contains("PUBLISH") { continuation.yield(client) }
            if text.contains("QUIT") {
                leaving.yield()
                client.close()
            }
        }
        var options = ScriptedServerTests.patient
        options.shutdownTimeout = .seconds(100)
        let broadcast = try Broadcast("redis://127.0.0.1:\(server.port)", options: options)
        try await broadcast.connect()
        let publishing = Task { try await broadcast.publish("x", to: "c") }
        var clients = asked.makeAsyncIterator()
        let client = await clients.next()
        let status = broadcast.status
        let first = Task { await broadcast.disconnect() }
        let second = Task { await broadcast.disconnect() }
        // Both are on their way when new messages are refused.
        while (try? await broadcast.subscribe(to: "c")) != nil { await Task.yield() }
        for _ in 0..<1000 { await Task.yield() }
        client?.send(":3\r\n")
        #expect(try await publishing.value == 3)
        for await _ in left { break }
        await first.value
        await second.value
        for await last in status where last == .closed { break }
    }

    @Test func disconnectingWhileConnectingEnds() async throws {
        let server = try ScriptedServer { _, _ in }
        let broadcast = try broadcast(to: server)
        let task = Task { try await broadcast.connect() }
        while server.connections == 0 { await Task.yield() }
        await broadcast.disconnect()
        await #expect(throws: BroadcastError.self) { try await task.value }
    }

    @Test func theTraceMasksThePassword() async throws {
        let lines = Mutex<[String]>([])
        var options = ScriptedServerTests.patient
        options.trace = { line in lines.withLock { $0.append(line) } }
        options.log = { entry in lines.withLock { $0.append("\(entry)") } }
        let server = try server { client, _ in client.send(":0\r\n") }
        let url = "redis://someone:hunter2@127.0.0.1:\(server.port)"
        let broadcast = try Broadcast(url, options: options)
        try await broadcast.connect()
        await broadcast.disconnect()
        let all = lines.withLock { $0 }.joined(separator: "\n")
        #expect(all.contains(#"$7\r\nsomeone\r\n$7\r\n*******\r\n"#))
        #expect(!all.contains("hunter2"))
    }
}
