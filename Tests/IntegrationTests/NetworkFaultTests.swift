import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// Faults of the network between client and server: the rows of the fault matrix that no server causes.
@Suite(
    .takesTurns,
    .enabled(
        if: Programs.areAvailable(Programs.redis, Programs.redisCLI, Programs.postgres),
        "needs redis-server and postgresql"),
    .serialized, .timeLimit(.minutes(5)))
struct NetworkFaultTests {
    /// A server of either kind behind a proxy.
    private final class Scene: Sendable {
        enum Kind: String, CaseIterable, Sendable {
            case resp3, resp2, postgres
        }

        let proxy: FaultyProxy
        /// Kept alive with the scene.
        private let server: any Sendable
        private let kind: Kind
        private let direct: String

        init(_ kind: Kind) async throws {
            self.kind = kind
            if kind == .postgres {
                let postgres = try await PostgresServer()
                server = postgres
                proxy = try FaultyProxy(toPort: postgres.port)
                direct = postgres.url("scram", "?")
            } else {
                let redis = try await RedisServer()
                server = redis
                proxy = try FaultyProxy(toPort: redis.port)
                direct = redis.url + "?protocol=\(kind == .resp3 ? 3 : 2)&"
            }
        }

        /// - Parameter isDirect: connects past the proxy.
        func connected(_ query: String, isDirect: Bool = false) async throws -> Broadcast {
            let port = direct.split(separator: ":").last?.prefix { $0.isNumber } ?? ""
            let url = isDirect ? direct : direct.replacing(":\(port)", with: ":\(proxy.port)")
            var options = BroadcastOptions()
            options.subscribeTimeout = .seconds(60)
            let broadcast = try Broadcast(url + query, options: options)
            try await broadcast.connect()
            return broadcast
        }
    }

    private static let patience = "publish_timeout=60s&connect_timeout=60s"

    enum Direction: CaseIterable {
        case both, fromServer, toServer
    }

    /// A firewall that drops, a cable that is cut, a NAT that forgets: the kernel reports nothing.
    @Test(arguments: Scene.Kind.allCases.map(\.rawValue), Direction.allCases)
    func aConnectionThatSwallowsIsGivenUp(kind: String, direction: Direction) async throws {
        let scene = try await Scene(try #require(Scene.Kind(rawValue: kind)))
        let broadcast = try await scene.connected(
            "ping=300ms&connect_timeout=2s&publish_timeout=500ms")
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        scene.proxy.set {
            $0.swallowsFromServer = direction != .toServer
            $0.swallowsFromClient = direction != .fromServer
        }
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("x", to: "other")
        }
        let isUnknown = if case .outcomeUnknown? = error { true } else { false }
        #expect(isUnknown, "\(String(describing: error))")
        _ = await broadcast.waitUntilDown()
        scene.proxy.set { $0 = FaultyProxy.Faults() }
        #expect(try await sight.all(upTo: "gap").count == 1)
        await broadcast.disconnect()
    }

    enum Ending: CaseIterable {
        case fin, reset, halfClosed
    }

    @Test(arguments: Scene.Kind.allCases.map(\.rawValue), Ending.allCases)
    func aConnectionThatEndsIsAGapAtOnce(kind: String, ending: Ending) async throws {
        let scene = try await Scene(try #require(Scene.Kind(rawValue: kind)))
        let broadcast = try await scene.connected(Self.patience)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        switch ending {
        case .fin: scene.proxy.cut()
        case .reset: scene.proxy.reset()
        case .halfClosed: scene.proxy.halfClose()
        }
        #expect(try await sight.next().hasPrefix("gap"))
        try await broadcast.publish("after", to: "c")
        #expect(try await sight.next() == "after")
        await broadcast.disconnect()
    }

    /// Losses while everything is being subscribed again, and again: one gap.
    @Test(arguments: Scene.Kind.allCases.map(\.rawValue))
    func lossesInTheMiddleOfComingBackAreOneGap(kind: String) async throws {
        let scene = try await Scene(try #require(Scene.Kind(rawValue: kind)))
        let broadcast = try await scene.connected(Self.patience)
        let names = (0..<2000).map { "channel-\($0)" }
        var sight = Sight(try await broadcast.subscribe(to: names))
        // Far enough to be connected, not far enough to have all channels.
        scene.proxy.set {
            $0.cutAfter = 6000
            $0.cutsAgain = true
        }
        scene.proxy.cut()
        for _ in 0..<3 {
            _ = await broadcast.waitUntilDown()
            await broadcast.waitFor { if case .ready = $0 { true } else { false } }
        }
        _ = await broadcast.waitUntilDown()
        scene.proxy.set { $0 = FaultyProxy.Faults() }
        #expect(try await sight.next().hasPrefix("gap"))
        try await broadcast.publish("after", to: "channel-1999")
        #expect(try await sight.next() == "after")
        await broadcast.disconnect()
    }

    @Test(arguments: Scene.Kind.allCases.map(\.rawValue))
    func delaysAndPiecesChangeNothing(kind: String) async throws {
        let scene = try await Scene(try #require(Scene.Kind(rawValue: kind)))
        scene.proxy.set {
            $0.delay = .microseconds(300)
            $0.slice = 3
        }
        let broadcast = try await scene.connected(Self.patience)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        let numbers = (0..<50).map(String.init)
        async let publishing = broadcast.publish(contentsOf: numbers, to: "c")
        #expect(try await sight.all(upTo: "49") == numbers)
        _ = try await publishing
        await broadcast.disconnect()
    }

    /// Messages published while the server is away go out in their order when it is back.
    @Test(arguments: Scene.Kind.allCases.map(\.rawValue))
    func aPublishWaitsForTheConnectionAndKeepsItsOrder(kind: String) async throws {
        let scene = try await Scene(try #require(Scene.Kind(rawValue: kind)))
        let listener = try await scene.connected(Self.patience, isDirect: true)
        var sight = Sight(try await listener.subscribe(to: "c"))
        let broadcast = try await scene.connected(Self.patience)
        scene.proxy.set { $0.refuses = true }
        scene.proxy.cut()
        _ = await broadcast.waitUntilDown()
        async let first = broadcast.publish(contentsOf: ["1", "2", "3"], to: "c")
        scene.proxy.set { $0.refuses = false }
        _ = try await first
        try await broadcast.publish("4", to: "c")
        #expect(try await sight.all(upTo: "4") == ["1", "2", "3", "4"])
        await broadcast.disconnect()
        await listener.disconnect()
    }

    @Test(arguments: Scene.Kind.allCases.map(\.rawValue))
    func disconnectingWhileTheServerIsAwayEnds(kind: String) async throws {
        let scene = try await Scene(try #require(Scene.Kind(rawValue: kind)))
        let broadcast = try await scene.connected(Self.patience)
        var sight = Sight(try await broadcast.subscribe(to: "c"))
        scene.proxy.set { $0.refuses = true }
        scene.proxy.cut()
        _ = await broadcast.waitUntilDown()
        let waiting = Task { try await broadcast.publish("x", to: "c") }
        while broadcast.statistics.subscribers == 0 { await lookAgain() }
        await broadcast.disconnect()
        await #expect(throws: BroadcastError.self) { try await waiting.value }
        #expect(try await sight.next() == "end")
    }
}
