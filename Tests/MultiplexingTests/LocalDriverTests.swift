import BroadcasterMemory
import BroadcasterMultiplexing
import BroadcasterWire
import Synchronization
import Testing

/// A session inside the process, on the threads of its callers.
struct LocalDriverTests {
    private let hub = Hub()

    private func driver(
        status: @escaping @Sendable (ConnectionStatus) -> Void = { _ in },
        trace: (@Sendable (String) -> Void)? = nil
    ) -> LocalDriver {
        LocalDriver(
            MemoryBackend(maximumMessageSize: 100).makeSession(), hub: hub,
            observers: Observers(status: status, log: { _ in }, trace: trace))
    }

    private func publish(_ text: String, _ driver: LocalDriver) async -> Result<
        Receipt, PublishFailure
    > {
        await driver.publish(.text(text), to: "c", isolation: nil)
    }

    @Test func subscribersHearWhatIsPublishedBeforePublishReturns() async throws {
        let driver = driver()
        _ = try driver.open()
        let subscriber = try await MeshSubscriber(hub, ["c"])
        #expect(await publish("1", driver) == .success(Receipt(receivers: 1)))
        #expect(subscriber.taken() == ["c:1"])
        hub.remove(subscriber.id)
        #expect(await publish("2", driver) == .success(Receipt(receivers: 0)))
        #expect(driver.published == 2)
    }

    /// Between its making and `start` another task may call already.
    @Test func theSessionIsOpenFromTheBeginning() async throws {
        let driver = driver()
        let early = try await MeshSubscriber(hub, ["c"])
        #expect(await publish("0", driver) == .success(Receipt(receivers: 1)))
        _ = try driver.open()
        #expect(early.taken() == ["c:0"])
        hub.remove(early.id)
        #expect(try await driver.ping() == .zero)
        let subscriber = try await MeshSubscriber(hub, ["c"])
        #expect(await publish("1", driver) == .success(Receipt(receivers: 1)))
        #expect(subscriber.taken() == ["c:1"])
    }

    @Test func aStoppedDriverEndsItsSubscribersAndDoesNotOpenAgain() async throws {
        let statuses = Mutex<[ConnectionStatus]>([])
        let driver = driver(status: { status in statuses.withLock { $0.append(status) } })
        _ = try driver.open()
        let subscriber = try await MeshSubscriber(hub, ["c"])
        #expect(await publish("1", driver) == .success(Receipt(receivers: 1)))
        await driver.stop()
        #expect(subscriber.taken() == ["c:1", "end "])
        #expect(await publish("2", driver) == .failure(.closed))
        #expect(throws: ConnectionFailure.closed) { try driver.open() }
        await #expect(throws: ConnectionFailure.closed) { try await driver.ping() }
        #expect(statuses.withLock { $0.last } == .closed(.closed))
    }

    @Test func theTraceIsThatOfAServer() async throws {
        let lines = Mutex<[String]>([])
        let driver = driver(trace: { line in lines.withLock { $0.append(line) } })
        _ = try driver.open()
        let subscriber = try await MeshSubscriber(hub, ["c"])
        _ = await publish("1", driver)
        hub.remove(subscriber.id)
        #expect(
            lines.withLock { $0 } == [
                "> subscribe c", "! subscribed c", "> publish c 1", "! message c 1",
                "! published 0 1", "> unsubscribe c", "! unsubscribed c",
            ])
    }

    /// A thousand tasks come and go at once: each is confirmed, and nothing is left.
    @Test func nothingIsLeftOfAThousandSubscribers() async throws {
        let driver = driver()
        _ = try driver.open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    let subscriber = try await MeshSubscriber(hub, ["c", "\(number % 10)"])
                    _ = await publish("x", driver)
                    hub.remove(subscriber.id)
                }
            }
            try await group.waitForAll()
        }
        #expect(hub.counts.subscribers == 0 && hub.counts.topics == 0)
    }
}
