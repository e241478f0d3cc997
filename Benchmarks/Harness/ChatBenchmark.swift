import BroadcasterSockets
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Synchronization

/// Many WebSocket clients in one room of `broadcast chat`, and a message to all of them.
///
/// Prints the time until the last client had it, and the memory that the server needs for a client.
struct ChatBenchmark {
    private static let clients = 2000
    private static let rounds = 5

    func run() async throws {
        FileDescriptor.raiseLimit()
        let server = try Children.start(
            [Programs.broadcast, "chat", "--port", "0"], mergesErrors: false)
        defer { Children.forget(server) }
        guard let line = await server.line(containing: "http://"),
            let port = UInt16(line.split(separator: ":").last?.prefix { $0.isNumber } ?? "")
        else { throw SocketError("broadcast chat did not start") }
        let loop = try EventLoop(name: "clients")
        defer { loop.stop() }
        let before = ChatBenchmark.residentKilobytes(of: server)
        let crowd = Crowd(count: ChatBenchmark.clients)
        for _ in 0..<ChatBenchmark.clients {
            let peer = try await connect(port, loop)
            crowd.add(peer)
        }
        await crowd.allHaveHeard("marker-0") { $0.say("marker-0") }
        let after = ChatBenchmark.residentKilobytes(of: server)
        var times: [Duration] = []
        for round in 1...ChatBenchmark.rounds {
            let start = ContinuousClock.now
            await crowd.allHaveHeard("marker-\(round)") { $0.say("marker-\(round)") }
            times.append(.now - start)
        }
        times.sort()
        let median = times[times.count / 2]
        print("chat: \(ChatBenchmark.clients) WebSocket clients in one room")
        print(
            "  a message to all: \(milliseconds(median)) ms (median of \(times.count), from"
                + " \(milliseconds(times[0])) to \(milliseconds(times[times.count - 1])))"
        )
        print(
            "  server's memory: \((after - before) * 1024 / ChatBenchmark.clients) bytes a client")
        server.signal(SIGTERM)
        _ = await server.waitForExit()
    }

    private func milliseconds(_ duration: Duration) -> Int {
        Int((duration / .milliseconds(1)).rounded())
    }

    private func connect(_ port: UInt16, _ loop: EventLoop) async throws -> Peer {
        let socket: Result<Socket, SocketError> = await withCheckedContinuation { continuation in
            loop.execute {
                _ = Dialer(
                    to: .host("127.0.0.1", port: port), on: loop, deadline: .now + .seconds(30)
                ) { continuation.resume(returning: $0) }
            }
        }
        return Peer(try socket.get(), on: loop)
    }

    private static func residentKilobytes(of process: ServerProcess) -> Int {
        guard let file = fopen("/proc/\(process.identifier)/status", "r") else { return 0 }
        defer { fclose(file) }
        var text: [UInt8] = []
        while case let byte = fgetc(file), byte >= 0 { text.append(UInt8(byte)) }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let line = lines.first { $0.hasPrefix("VmRSS:") } ?? ""
        return Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0
    }
}

/// The clients, and the number of them that have received the expected message.
private final class Crowd: Sendable {
    private struct State {
        var peers: [Peer] = []
        var marker: [UInt8] = []
        var hearers: Set<Int> = []
        var waiter: CheckedContinuation<Void, Never>?
        /// The last bytes that each client has received, in which a marker may be split.
        var tails: [[UInt8]] = []
    }

    private let count: Int
    private let state = Mutex(State())

    init(count: Int) {
        self.count = count
    }

    func add(_ peer: Peer) {
        let number = state.withLock { state in
            state.peers.append(peer)
            state.tails.append([])
            return state.peers.count - 1
        }
        peer.start { [self] bytes in heard(bytes ?? [], number) }
        peer.send(
            Array(
                ("GET /ws/crowd?name=\(number) HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
                    + "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                    + "Sec-WebSocket-Version: 13\r\n\r\n").utf8))
    }

    /// Sends a text from the first client, as a masked frame (with a mask of zeros).
    func say(_ text: String) {
        let peer = state.withLock { $0.peers[0] }
        peer.send([0x81, 0x80 | UInt8(text.utf8.count), 0, 0, 0, 0] + Array(text.utf8))
    }

    func allHaveHeard(_ marker: String, after speak: (Crowd) -> Void) async {
        state.withLock { state in
            state.marker = Array("\"\(marker)\"".utf8)
            state.hearers = []
        }
        await withCheckedContinuation { continuation in
            state.withLock { $0.waiter = continuation }
            speak(self)
        }
    }

    private func heard(_ bytes: [UInt8], _ number: Int) {
        let waiter: CheckedContinuation<Void, Never>? = state.withLock { state in
            let all = state.tails[number] + bytes
            state.tails[number] = Array(all.suffix(state.marker.count))
            guard !state.marker.isEmpty, contains(all, state.marker) else { return nil }
            state.hearers.insert(number)
            return state.hearers.count == count ? state.waiter.take() : nil
        }
        waiter?.resume()
    }

    private func contains(_ bytes: [UInt8], _ marker: [UInt8]) -> Bool {
        bytes.indices.contains { bytes[$0...].starts(with: marker) }
    }
}
