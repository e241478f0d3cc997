import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Synchronization
import Testing

/// Calls between `init` and the first connection: services start in any order.
@Suite(.timeLimit(.minutes(2)))
struct ReadinessTests: ScriptedServerTesting {
    /// A server that greets when the test says so.
    private final class LateServer: Sendable {
        private let waiting = Mutex<(isOpen: Bool, clients: [ScriptedServer.Client])>((false, []))

        func greet(_ client: ScriptedServer.Client) {
            let isOpen = waiting.withLock { state in
                if !state.isOpen { state.clients.append(client) }
                return state.isOpen
            }
            if isOpen { client.send(hello) }
        }

        func open() {
            let clients = waiting.withLock { state in
                state.isOpen = true
                return state.clients
            }
            for client in clients { client.send(hello) }
        }
    }

    @Test func callsWaitForTheFirstConnection() async throws {
        let late = LateServer()
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO\r\n$1") { late.greet(client) }
            if text.contains("SUBSCRIBE") { client.send(">3\r\n+subscribe\r\n+c\r\n:1\r\n") }
            if text.contains("PUBLISH") { client.send(":1\r\n") }
        }
        let broadcast = try broadcast(to: server)
        let running = Task { try await broadcast.run() }
        while broadcast.status == .closed { await lookAgain() }
        #expect(!broadcast.isReady)
        let subscribing = Task { try await broadcast.subscribe(to: "c") }
        let publishing = Task { try await broadcast.publish("x", to: "c") }
        let waiting = Task { try await broadcast.ready() }
        while broadcast.statistics.subscribers == 0 { await lookAgain() }
        late.open()
        #expect(try await subscribing.value.channels == ["c"])
        #expect(try await publishing.value.receivers == 1)
        try await waiting.value
        #expect(broadcast.isReady)
        running.cancel()
        try await running.value
        #expect(!broadcast.isReady)
    }

    /// From the very moment of the call: with or without a server to wait for.
    @Test func noCallFallsBetweenConnectingAndConnected() async throws {
        for _ in 0..<300 {
            let broadcast = try Broadcast("memory://")
            let connecting = Task { try await broadcast.connect() }
            var hasBegun = false
            while !hasBegun {
                do {
                    try await broadcast.publish("x", to: "c")
                    _ = try await broadcast.subscribe(to: "c")
                    hasBegun = true
                } catch {
                    #expect(error == .notConnected)
                    await Task.yield()
                }
            }
            // It was connected then, and stays so.
            try await broadcast.publish("x", to: "c")
            try await connecting.value
            await broadcast.disconnect()
        }
    }

    @Test(arguments: ["publish", "subscribe"])
    func theyWaitNoLongerThanTheirDeadline(name: String) async throws {
        let connection = MemoryConnection()
        connection.lose()
        var options = BroadcastOptions()
        options.waitsForServer = true
        let broadcast = Broadcast(connection, options: options)
        let running = Task { try await broadcast.run() }
        while broadcast.status == .closed { await lookAgain() }
        let waiting = Task {
            if name == "publish" {
                try await broadcast.publish("x", to: "c")
            } else {
                _ = try await broadcast.subscribe(to: "c")
            }
        }
        await connection.clock.sleepers(1)
        connection.clock.advance(by: .seconds(5))
        let error = await #expect(throws: BroadcastError.self) { try await waiting.value }
        guard case .disconnected? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        running.cancel()
        try await running.value
    }

    /// They are told the reason, as the caller of `connect()` is.
    @Test func whereConnectingFailsTheyAreToldWhy() async throws {
        let late = AsyncStream<ScriptedServer.Client>.makeStream()
        let server = try ScriptedServer { happening, client in
            if case .received = happening { late.continuation.yield(client) }
        }
        let broadcast = try broadcast(to: server)
        let connecting = Task { try await broadcast.connect() }
        while broadcast.status == .closed { await lookAgain() }
        let subscribing = Task { _ = try await broadcast.subscribe(to: "c") }
        let waiting = Task { try await broadcast.ready() }
        while broadcast.statistics.subscribers == 0 { await lookAgain() }
        for await client in late.stream {
            client.send("-WRONGPASS invalid username-password pair\r\n")
            break
        }
        let error = await #expect(throws: BroadcastError.self) { try await subscribing.value }
        guard case .disconnected(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("WRONGPASS"))
        await #expect(throws: error ?? .cancelled) { try await waiting.value }
        await #expect(throws: BroadcastError.self) { try await connecting.value }
    }

    @Test func beforeConnectingThereIsAClearError() async throws {
        let broadcast = try Broadcast("memory://")
        let error = await #expect(throws: BroadcastError.notConnected) {
            try await broadcast.publish("x", to: "c")
        }
        #expect(error?.description.contains("call connect() or run() first") == true)
        await #expect(throws: BroadcastError.notConnected) {
            _ = try await broadcast.subscribe(to: "c")
        }
        await #expect(throws: BroadcastError.notConnected) { _ = try await broadcast.ping() }
    }

    @Test func readinessIsWaitedForBeforeAnythingIsConnected() async throws {
        let broadcast = try Broadcast("memory://")
        let waiting = Task { try await broadcast.ready() }
        for _ in 0..<100 { await Task.yield() }
        try await broadcast.connect()
        try await waiting.value
        try await broadcast.ready()
        await broadcast.disconnect()
        let cancelled = Task { try await broadcast.ready() }
        cancelled.cancel()
        await #expect(throws: BroadcastError.cancelled) { try await cancelled.value }
    }

    @Test func anOutageIsWaitedOutToo() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        connection.lose()
        #expect(!broadcast.isReady)
        let waiting = Task { try await broadcast.ready() }
        for _ in 0..<100 { await Task.yield() }
        connection.restore()
        try await waiting.value
        connection.lose()
        let ended = Task { try await broadcast.ready() }
        for _ in 0..<100 { await Task.yield() }
        await broadcast.disconnect()
        // Whether it had begun to wait or not: by then there is nothing to wait for, or it is told.
        ended.cancel()
        await #expect(throws: BroadcastError.self) { try await ended.value }
    }
}
