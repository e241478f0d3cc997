import BroadcasterMultiplexing
import BroadcasterTesting
import BroadcasterWire
import Synchronization
import Testing

/// Five lanes to three servers over sockets, under load, while one of the servers dies and comes back.
@Suite(.timeLimit(.minutes(2)))
struct MeshUnderLoadTests {
    /// A server of the mesh on loopback, behind a proxy that can take it off the network.
    private final class Server: Sendable {
        let proxy: FaultyProxy
        private let scripted: ScriptedServer

        init() throws {
            let mesh = MeshServer<Int>()
            let clients = Mutex<[Int: ScriptedServer.Client]>([:])
            scripted = try ScriptedServer { happening, client in
                switch happening {
                case .connected:
                    clients.withLock { $0[client.number] = client }
                    client.send("hello\n")
                case .received(let bytes):
                    for (receiver, line) in mesh.received(bytes, from: client.number) {
                        clients.withLock { $0[receiver] }?.send(line)
                    }
                case .closed: mesh.closed(client.number)
                }
            }
            proxy = try FaultyProxy(toPort: scripted.port)
        }

        var endpoint: Endpoint { .tcp(host: "127.0.0.1", port: proxy.port) }

        func die() {
            proxy.set { $0.refuses = true }
            proxy.cut()
        }

        func comeBack() {
            proxy.set { $0.refuses = false }
        }
    }

    /// Numbers that a channel's messages must count up, and what was seen between them.
    private struct Seen {
        var last: [String: Int] = [:]
        var gaps = 0
        var isInOrder = true
        /// Numbers that are missing without a gap before them.
        var missing = 0
        private var mayMiss: Set<String> = []

        mutating func take(_ delivery: Delivery) {
            switch delivery {
            case .message(let message):
                let channel = message.origin.channel
                let number = Int(String(decoding: message.bytes, as: UTF8.self)) ?? -1
                let before = last[channel] ?? number - 1
                if number <= before { isInOrder = false }
                if number > before + 1, !mayMiss.contains(channel) { missing += 1 }
                last[channel] = number
                mayMiss.remove(channel)
            case .gap:
                gaps += 1
                mayMiss.formUnion(last.keys)
            case .end: break
            }
        }
    }

    @Test func subscribersOfTheOthersSeeNoGapAndNoPause() async throws {
        let servers = try (0..<3).map { _ in try Server() }
        let hub = Hub()
        let observers = Observers(status: { _ in }, log: { _ in }, trace: nil)
        let limits = ConnectionLimits(
            connectTimeout: .seconds(50), publishTimeout: .seconds(50), answerTimeout: .seconds(50),
            waitsForServer: false, shutdownTimeout: .seconds(5), unsentBytes: 1 << 20,
            unparsedBytes: 1 << 20)
        let driver = try ServerDriver(
            MeshBackend(endpoints: [servers[0].endpoint], homes: servers.map(\.endpoint)),
            limits: limits, hub: hub, observers: observers)
        _ = try await driver.start()
        let channels = (0..<5).map { "\($0)x" }
        let all = try await MeshSubscriber(hub, channels, messages: 100_000)
        var each: [MeshSubscriber] = []
        for channel in channels {
            each.append(try await MeshSubscriber(hub, [channel], messages: 100_000))
        }
        let isBack = Gate()
        let publishing = channels.map { channel in
            Task {
                var number = 0
                while !Task.isCancelled {
                    let result = await driver.publish(
                        .text("\(number)"), to: channel, isolation: nil)
                    number += 1
                    if case .failure = result { await isBack.wait() }
                }
            }
        }
        var seen = Array(repeating: Seen(), count: 5)
        var together = Seen()
        func takeUntil(_ isDone: () -> Bool) async {
            while !isDone() {
                for lane in 0..<5 {
                    while let delivery = each[lane].mailbox.poll() { seen[lane].take(delivery) }
                }
                while let delivery = all.mailbox.poll() { together.take(delivery) }
                await all.mailbox.wait(isolation: nil)
            }
        }
        func count(_ lane: Int) -> Int { seen[lane].last["\(lane)x"] ?? 0 }

        await takeUntil { (0..<5).allSatisfy { count($0) > 50 } }
        // Lanes 1 and 4 lead there.
        servers[1].die()
        let before = (0..<5).map(count)
        await takeUntil { [0, 2, 3].allSatisfy { count($0) > before[$0] + 200 } }
        #expect(seen.allSatisfy { $0.gaps == 0 }, "no gap is over before the server is back")
        servers[1].comeBack()
        // A gap is reported as soon as it is over, also when no message follows.
        await takeUntil { [1, 4].allSatisfy { seen[$0].gaps > 0 } }
        isBack.open()
        await takeUntil { [1, 4].allSatisfy { count($0) > before[$0] + 50 } }
        await takeUntil { together.gaps > 0 }
        for task in publishing { task.cancel() }
        for task in publishing { await task.value }
        await takeUntil { true }

        #expect(seen.map(\.gaps) == [0, 1, 0, 0, 1])
        #expect(seen.allSatisfy { $0.isInOrder && $0.missing == 0 })
        #expect(together.isInOrder && together.missing == 0)
        #expect((1...2).contains(together.gaps), "the lanes of one server may be lost one by one")
        #expect(driver.reconnects == 0)
        await driver.stop()
        // An optimized build would let the servers go after their last use, and with them their sockets.
        withExtendedLifetime(servers) {}
    }
}

/// Holds tasks up until it is opened, for good.
private final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiting: [CheckedContinuation<Void, Never>])>(
        (false, []))

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for task in waiting { task.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
}
