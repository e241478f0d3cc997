import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

/// The facade's promises, on memory://.
struct MemoryTests {
    @Test func whatIsPublishedIsReceived() async throws {
        try await withBroadcast("memory://") { broadcast in
            let subscription = try await broadcast.subscribe(to: "chat")
            #expect(try await broadcast.publish("hello", to: "chat").receivers == 1)
            #expect(try await broadcast.publish([0, 255], to: "chat").receivers == 1)
            #expect(try await broadcast.publish("elsewhere", to: "other").receivers == 0)
            var messages = subscription.makeAsyncIterator()
            let first = try await messages.next()
            #expect(first?.channel == "chat")
            #expect(first?.text == "hello")
            #expect(first?.pattern == nil)
            let second = try await messages.next()
            #expect(second?.bytes == [0, 255])
            #expect(second?.validText == nil)
            #expect(second?.count == 2)
        }
    }

    @Test func severalChannelsAndPatternsAreOneSequence() async throws {
        try await withBroadcast("memory://") { broadcast in
            let subscription = try await broadcast.subscribe(to: ["a", "b"], patterns: ["news.*"])
            for (channel, text) in [("a", "1"), ("news.x", "2"), ("b", "3"), ("c", "4")] {
                try await broadcast.publish(text, to: channel)
            }
            await broadcast.disconnect()
            var seen: [String] = []
            for try await message in subscription {
                seen.append("\(message.channel) \(message.text) \(message.pattern ?? "-")")
            }
            #expect(seen == ["a 1 -", "news.x 2 news.*", "b 3 -"])
        }
    }

    @Test func aLoopGoesOnWhereTheLastOneStopped() async throws {
        try await withBroadcast("memory://") { broadcast in
            let subscription = try await broadcast.subscribe(to: "c")
            try await broadcast.publish(contentsOf: (0..<10).map(String.init), to: "c")
            await broadcast.disconnect()
            var seen: [String] = []
            for try await message in subscription {
                seen.append(message.text)
                if seen.count == 4 { break }
            }
            for try await message in subscription { seen.append(message.text) }
            #expect(seen == (0..<10).map(String.init))
        }
    }

    @Test func aSlowSubscriberIsToldHowManyItLost() async throws {
        try await withBroadcast("memory://") { broadcast in
            let slow = try await broadcast.subscribe(
                to: "c", buffer: SubscriptionBuffer(messages: 3))
            let failing = try await broadcast.subscribe(
                to: "c", buffer: SubscriptionBuffer(messages: 3, overflow: .fail))
            let patient = try await broadcast.subscribe(to: "c")
            try await broadcast.publish(contentsOf: (0..<10).map(String.init), to: "c")
            #expect(broadcast.statistics.dropped == 8)
            await broadcast.disconnect()
            var seen: [String] = []
            for try await event in slow.events {
                switch event {
                case .message(let message): seen.append(message.text)
                case .gap(let gap): seen.append("\(gap.reason) \(gap.lost ?? -1)")
                }
            }
            #expect(seen == ["overflow 7", "7", "8", "9"])
            var count = 0
            let error = await #expect(throws: BroadcastError.self) {
                for try await _ in failing { count += 1 }
            }
            #expect(count == 3)
            #expect(error == .overflow(lost: 1))
            count = 0
            for try await _ in patient { count += 1 }
            #expect(count == 10)
        }
    }

    @Test func aCancelledTaskEndsWithoutAnError() async throws {
        let broadcast = try Broadcast("memory://")
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        let (started, continuation) = AsyncStream<Void>.makeStream()
        let task = Task {
            continuation.yield()
            for try await _ in subscription {}
            return Task.isCancelled
        }
        for await _ in started { break }
        task.cancel()
        #expect(try await task.value)
        await broadcast.disconnect()
    }

    @Test func theLastSubscriberLeavesByBeingReleased() async throws {
        try await withBroadcast("memory://") { broadcast in
            var subscription: Subscription? = try await broadcast.subscribe(to: "c")
            #expect(broadcast.statistics.subscribers == 1)
            #expect(subscription != nil)
            subscription = nil
            #expect(broadcast.statistics.subscribers == 0)
            #expect(try await broadcast.publish("x", to: "c").receivers == 0)
        }
    }

    @Test func aForgottenSubscriptionLivesAsLongAsItsLoop() async throws {
        try await withBroadcast("memory://") { broadcast in
            let (ready, continuation) = AsyncStream<Void>.makeStream()
            let task = Task {
                let messages = try await broadcast.subscribe(to: "c")
                continuation.yield()
                for try await message in messages { return message.text }
                return "none"
            }
            for await _ in ready { break }
            try await broadcast.publish("x", to: "c")
            #expect(try await task.value == "x")
        }
    }

    @Test func disconnectingEndsAfterWhatWasReceived() async throws {
        let broadcast = try Broadcast("memory://")
        try await broadcast.connect()
        let subscription = try await broadcast.subscribe(to: "c")
        try await broadcast.publish("x", to: "c")
        await broadcast.disconnect()
        await broadcast.disconnect()
        var seen: [String] = []
        for try await message in subscription { seen.append(message.text) }
        #expect(seen == ["x"])
        await #expect(throws: BroadcastError.notConnected) {
            try await broadcast.publish("x", to: "c")
        }
        await #expect(throws: BroadcastError.notConnected) {
            _ = try await broadcast.subscribe(to: "c")
        }
        try await broadcast.connect()
        #expect(try await broadcast.publish("x", to: "c").receivers == 0)
        await broadcast.disconnect()
    }

    @Test func badArgumentsAreRefusedBeforeAnythingIsSent() async throws {
        try await withBroadcast("memory://?max_message_size=3") { broadcast in
            await #expect(throws: BroadcastError.self) { try await broadcast.publish("x", to: "") }
            await #expect(throws: BroadcastError.self) {
                try await broadcast.publish("four", to: "c")
            }
            await #expect(throws: BroadcastError.self) { _ = try await broadcast.subscribe(to: "") }
            await #expect(throws: BroadcastError.self) {
                _ = try await broadcast.subscribe(to: [], patterns: [])
            }
        }
    }

    @Test func namesAreTheirBytes() async throws {
        try await withBroadcast("memory://") { broadcast in
            let composed = try await broadcast.subscribe(to: "caf\u{e9}")
            let decomposed = try await broadcast.subscribe(to: "cafe\u{301}")
            #expect(broadcast.statistics.channels == 2)
            try await broadcast.publish("1", to: "caf\u{e9}")
            try await broadcast.publish("2", to: "cafe\u{301}")
            for try await message in composed {
                #expect(message.text == "1")
                break
            }
            for try await message in decomposed {
                #expect(message.text == "2")
                break
            }
        }
    }

    @Test func noOptionIsTooStrange() async throws {
        var options = BroadcastOptions()
        options.maximumMessageSize = .max
        options.unsentBytes = -1
        options.pingInterval = .zero
        options.connectTimeout = .seconds(Int64.max)
        options.publishTimeout = .seconds(-5)
        options.buffer = SubscriptionBuffer(messages: 0, bytes: -1)
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            let text = String(decoding: bytes, as: UTF8.self)
            if text.contains("HELLO") { client.send("%2\r\n+version\r\n+7\r\n+proto\r\n:3\r\n") }
        }
        for url in ["memory://", "redis://127.0.0.1:\(server.port)"] {
            let broadcast = try Broadcast(url, options: options)
            try await broadcast.connect()
            _ = try? await broadcast.publish("x", to: "c")
            await broadcast.disconnect()
        }
    }

    @Test func theStatusIsToldFromNowOn() async throws {
        let broadcast = try Broadcast("memory://")
        #expect(broadcast.status == .closed)
        var status = broadcast.statuses.makeAsyncIterator()
        #expect(await status.next() == .closed)
        try await broadcast.connect()
        guard case .ready(let server)? = await status.next() else {
            Issue.record("not ready")
            return
        }
        #expect(server.product == "memory")
        await broadcast.disconnect()
        #expect(await status.next() == .closed)
    }

    @Test func runStaysUntilCancelled() async throws {
        let broadcast = try Broadcast("memory://")
        var status = broadcast.statuses.makeAsyncIterator()
        let task = Task { try await broadcast.run() }
        while let next = await status.next() {
            if case .ready = next { break }
        }
        task.cancel()
        try await task.value
        #expect(broadcast.status == .closed)
    }

    /// Four publishers and four subscribers at once: each publisher's messages arrive in its order.
    @Test func manyTasksAtOnceKeepTheirOrder() async throws {
        try await withBroadcast("memory://") { broadcast in
            let buffer = SubscriptionBuffer(messages: 10_000)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    let subscription = try await broadcast.subscribe(to: "c", buffer: buffer)
                    group.addTask {
                        var next = [0, 0, 0, 0]
                        var count = 0
                        for try await message in subscription {
                            let parts = message.text.split(separator: " ").compactMap { Int($0) }
                            #expect(parts[1] == next[parts[0]])
                            next[parts[0]] += 1
                            count += 1
                            if count == 4000 { break }
                        }
                    }
                }
                for publisher in 0..<4 {
                    group.addTask {
                        for number in 0..<1000 {
                            try await broadcast.publish("\(publisher) \(number)", to: "c")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @MainActor
    @Test func worksOnTheMainActor() async throws {
        try await withBroadcast("memory://") { broadcast in
            try await broadcast.withSubscription(to: "c") { subscription in
                try await broadcast.publish("x", to: "c")
                for try await message in subscription {
                    MainActor.assertIsolated()
                    #expect(message.text == "x")
                    break
                }
            }
            #expect(broadcast.statistics.subscribers == 0)
        }
    }

    /// Each message finds the subscriber waiting: the publisher's thread wakes it, and it must go on on its actor.
    @MainActor
    @Test func isWokenOnTheActorThatWaits() async throws {
        try await withBroadcast("memory://") { broadcast in
            let (there, back) = (
                try await broadcast.subscribe(to: "there"),
                try await broadcast.subscribe(to: "back")
            )
            let player = Player()
            let playing = Task { try await player.play(there, "back", on: broadcast) }
            for number in 0..<200 {
                try await broadcast.publish("\(number)", to: "there")
                MainActor.assertIsolated()
                var iterator = back.makeAsyncIterator()
                #expect(try await iterator.next()?.text == "\(number)")
                MainActor.assertIsolated()
            }
            there.cancel()
            try await playing.value
        }
    }
}

extension MemoryTests {
    /// The cancellation resumes the task, on the thread that cancels it.
    @MainActor
    @Test func whoWaitsOnTheMainActorCanBeCancelledFromAnywhere() async throws {
        try await withBroadcast("memory://") { broadcast in
            for number in 0..<200 {
                let subscription = try await broadcast.subscribe(to: "quiet")
                let waiting = Task { @MainActor in
                    for try await _ in subscription { MainActor.assertIsolated() }
                    MainActor.assertIsolated()
                }
                if number.isMultiple(of: 3) { await lookAgain() }
                if number.isMultiple(of: 2) {
                    waiting.cancel()
                } else {
                    await Task.detached { waiting.cancel() }.value
                }
                try await waiting.value
            }
        }
    }

    @Test func thereAreNotMoreChannelsThanAllowed() async throws {
        var options = BroadcastOptions()
        options.maximumChannels = 2
        let broadcast = try Broadcast("memory://", options: options)
        try await broadcast.connect()
        let both = try await broadcast.subscribe(to: "a", "b")
        let again = try await broadcast.subscribe(to: "b", "a")
        let error = await #expect(throws: BroadcastError.self) {
            try await broadcast.subscribe(to: "c")
        }
        #expect(error?.description.contains("more than 2 channels") == true)
        both.cancel()
        again.cancel()
        try await broadcast.subscribe(to: "c").cancel()
    }
}

/// Sends received messages back.
private actor Player {
    func play(_ subscription: Subscription, _ channel: String, on broadcast: Broadcast) async throws
    {
        for try await message in subscription {
            assertIsolated()
            try await broadcast.publish(message.text, to: channel)
            assertIsolated()
        }
    }
}
