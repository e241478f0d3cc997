import Broadcaster
import BroadcasterTesting
import Testing

/// A user's own code: keeps a copy of a channel's messages, and loads it afresh after a gap.
private actor Board {
    private(set) var lines: [String] = []

    func follow(_ subscription: Subscription, until last: String) async throws {
        for try await event in subscription.events {
            switch event {
            case .message(let message): lines.append(message.text)
            case .gap(let gap): lines.append("reloaded after \(gap.reason.seconds) s")
            }
            if lines.last == last { return }
        }
    }
}

extension Gap.Reason {
    fileprivate var seconds: Int {
        if case .reconnected(let time, _) = self { Int(time.components.seconds) } else { 0 }
    }
}

@Suite(.timeLimit(.minutes(1)))
struct TestingKitTests {
    /// The example of the DocC article `Testing`.
    @Test func aBoardIsLoadedAfreshAfterALoss() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        let board = Board()
        let subscription = try await broadcast.subscribe(to: "board")
        try await broadcast.publish("one", to: "board")
        connection.lose()
        connection.clock.advance(by: .seconds(7))
        connection.restore()
        try await broadcast.publish("two", to: "board")
        try await board.follow(subscription, until: "two")
        #expect(await board.lines == ["one", "reloaded after 7 s", "two"])
    }

    @Test func publishingWaitsForTheConnectionUpToItsDeadline() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        connection.lose("cable")
        let waiting = Task { try await broadcast.publish("late", to: "c") }
        await connection.clock.sleepers(1)
        connection.clock.advance(by: .seconds(5))
        let error = await #expect(throws: BroadcastError.self) { try await waiting.value }
        guard case .disconnected? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    /// The deadline may pass before any task waits for it.
    @Test func aDeadlineThatHasPassedIsNoReasonToWait() async throws {
        let connection = MemoryConnection()
        var options = BroadcastOptions()
        options.publishTimeout = .zero
        let broadcast = Broadcast(connection, options: options)
        try await broadcast.connect()
        connection.lose()
        await #expect(throws: BroadcastError.self) { try await broadcast.publish("x", to: "c") }
    }

    /// Two on one would each see half of what is done to it.
    @Test func aSecondBroadcastIsRefusedWhileTheFirstIsThere() async throws {
        let connection = MemoryConnection()
        let first = Broadcast(connection)
        let second = Broadcast(connection)
        try await first.connect()
        let error = await #expect(throws: BroadcastError.self) { try await second.connect() }
        guard case .refused(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("another connection for another Broadcast"))
        try await first.publish("x", to: "c")
        await first.disconnect()
        try await second.connect()
        await second.disconnect()
        try await first.connect()
        await first.disconnect()
    }

    @Test func connectionsAreReleased() async throws {
        weak var released: MemoryConnection?
        do {
            let connection = MemoryConnection()
            released = connection
            let broadcast = Broadcast(connection)
            try await broadcast.connect()
            await broadcast.disconnect()
        }
        #expect(released == nil)
    }

    @Test func whatWaitsIsPublishedWhenTheConnectionIsBack() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        connection.lose()
        let waiting = Task { try await broadcast.publish("late", to: "c") }
        await connection.clock.sleepers(1)
        connection.restore()
        #expect(try await waiting.value.receivers == 1)
        var events = subscription.events.makeAsyncIterator()
        guard case .gap = try await events.next(),
            case .message(let message)? = try await events.next()
        else {
            Issue.record("no gap and message")
            return
        }
        #expect(message.text == "late")
    }

    @Test func anOutcomeCanBeUnknown() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        connection.loseBeforeNextAnswer()
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("x", to: "c")
        }
        guard case .outcomeUnknown? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        connection.restore()
        #expect(try await broadcast.publish("y", to: "c").receivers == 0)
        #expect(broadcast.statistics.reconnects == 1)
    }

    @Test func connectingWhileItIsLostThrowsAndTheStatusTells() async throws {
        let connection = MemoryConnection()
        connection.lose()
        let broadcast = Broadcast(connection)
        await #expect(throws: BroadcastError.self) { try await broadcast.connect() }
        connection.restore()
        try await broadcast.connect()
        connection.lose("cable")
        guard case .down(let error, _) = broadcast.status else {
            Issue.record("\(broadcast.status)")
            return
        }
        #expect("\(error)".contains("cable"))
        await broadcast.disconnect()
        await #expect(throws: BroadcastError.self) { try await broadcast.publish("x", to: "c") }
    }

    @Test func aCancelledPublishLeaves() async throws {
        let connection = MemoryConnection()
        let broadcast = Broadcast(connection)
        try await broadcast.connect()
        connection.lose()
        let task = Task { try await broadcast.publish("x", to: "c") }
        await connection.clock.sleepers(1)
        task.cancel()
        await #expect(throws: BroadcastError.self) { try await task.value }
    }

    @Test func aClockWakesInTheOrderOfTime() async throws {
        let clock = ManualClock()
        let start = clock.now
        let (order, continuation) = AsyncStream<Int>.makeStream()
        for delay in [3, 1, 2] {
            Task {
                try await clock.sleep(until: start + .seconds(delay))
                continuation.yield(delay)
            }
        }
        var iterator = order.makeAsyncIterator()
        await clock.sleepers(3)
        for expected in 1...3 {
            clock.advance(by: .seconds(1))
            #expect(await iterator.next() == expected)
        }
        #expect(clock.now == start + .seconds(3))
        let sleeper = Task { try await clock.sleep(for: .seconds(1)) }
        await clock.sleepers(1)
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }
}
