import Broadcaster
import BroadcasterSockets
import BroadcasterTestSupport
import Testing

@testable import BroadcasterChatDemo

/// Clients that behave as no browser does.
@Suite(.timeLimit(.minutes(3)))
struct ChatServerTests {
    /// A chat in memory, and a connection to it that has sent `request`.
    private func withConnection(
        _ request: String, _ body: (Broadcast, Socket?) async throws -> Void
    ) async throws {
        let broadcast = try Broadcast("memory://")
        try await broadcast.connect()
        let server = try ChatServer(broadcast, host: "127.0.0.1", port: 0)
        let port = server.address.split(separator: ":").last.flatMap { UInt16($0.dropLast()) }
        let address = try NameResolution.resolve(host: "127.0.0.1", port: try #require(port))[0]
        let socket = try Socket(family: address.family)
        _ = try socket.connect(to: address)
        let running = Task { await server.run() }
        try await send(Array(request.utf8), to: socket)
        try await body(broadcast, socket)
        running.cancel()
        await broadcast.disconnect()
    }

    private func send(_ bytes: [UInt8], to socket: Socket) async throws {
        var sent = 0
        while sent < bytes.count {
            let count = try socket.write(bytes, from: sent)
            sent += count
            if count == 0 { await lookAgain() }
        }
    }

    private func waitForSubscribers(_ number: Int, _ broadcast: Broadcast) async {
        while broadcast.statistics.subscribers != number { await lookAgain() }
    }

    @Test(arguments: [
        "GET /events/quiet HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /ws/quiet HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ])
    func whoLeavesAQuietRoomLeavesNothingBehind(request: String) async throws {
        try await withConnection(request) { broadcast, socket in
            await waitForSubscribers(1, broadcast)
            socket?.finishWriting()
            await waitForSubscribers(0, broadcast)
        }
    }

    /// The server stops reading when a client does not take the answers to its pings, and after a while ends it.
    @Test func pingsOfAClientThatDoesNotReadAreBounded() async throws {
        let upgrade =
            "GET /ws/pings HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        try await withConnection(upgrade) { broadcast, socket in
            await waitForSubscribers(1, broadcast)
            let ping: [UInt8] = [0x89, 0xfd, 0, 0, 0, 0] + Array(repeating: 7, count: 125)
            let pings = Array(repeatElement(ping, count: 1000).joined())
            var (sent, refusals) = (0, 0)
            // The kernel's own buffers take some megabytes each way.
            while refusals < 400, sent < 64 << 20 {
                guard let count = try? socket?.write(pings, from: sent % pings.count) else { break }
                sent += count
                refusals = count == 0 ? refusals + 1 : 0
                if count == 0 { await lookAgain() }
            }
            #expect(sent > pings.count)
            #expect(sent < 64 << 20)
        }
    }
}
