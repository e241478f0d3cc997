import Broadcaster
import Testing

/// A promise that every backend keeps, as a check on a new `Broadcast` of it.
struct Conformance: Sendable {
    let name: String
    /// Gets a `Broadcast` that is not connected, and may leave it as it is.
    let check: @Sendable (Broadcast) async throws -> Void

    init(_ name: String, _ check: @escaping @Sendable (Broadcast) async throws -> Void) {
        self.name = name
        self.check = check
    }

    /// Makes all checks, each on a `Broadcast` from `make`.
    static func checkAll(_ make: () throws -> Broadcast) async throws {
        try await check(life + cancellation + delivery + membership, make)
    }

    static func check(
        _ conformances: [Conformance], _ make: () throws -> Broadcast
    ) async throws {
        for conformance in conformances {
            let broadcast = try make()
            do {
                try await conformance.check(broadcast)
            } catch {
                Issue.record(error, "\(conformance.name)")
            }
            await broadcast.disconnect()
        }
    }
}

// MARK: The life of a connection

extension Conformance {
    private static let life = [
        Conformance("before connect() each call says so") { broadcast in
            #expect(broadcast.status == .closed && !broadcast.isReady)
            await expect(.notConnected) { try await broadcast.publish("x", to: "c") }
            await expect(.notConnected) { try await broadcast.publish(contentsOf: ["x"], to: "c") }
            await expect(.notConnected) { try await broadcast.subscribe(to: "c") }
            await expect(.notConnected) { try await broadcast.ping() }
        },
        Conformance("connect() may be called twice, and disconnect() too") { broadcast in
            try await broadcast.connect()
            try await broadcast.connect()
            #expect(broadcast.isReady)
            try await broadcast.ready()
            #expect(try await broadcast.ping() >= .zero)
            await broadcast.disconnect()
            await broadcast.disconnect()
            await expect(.notConnected) { try await broadcast.publish("x", to: "c") }
            await expect(.notConnected) { try await broadcast.subscribe(to: "c") }
            try await broadcast.connect()
            try await broadcast.publish("x", to: "c")
        },
        Conformance("disconnect() ends a subscription after what it had received") { broadcast in
            try await broadcast.connect()
            let messages = try await broadcast.subscribe(to: "c")
            try await broadcast.publish(contentsOf: ["1", "2"], to: "c")
            try await broadcast.waitUntilReceived(2)
            await broadcast.disconnect()
            #expect(try await messages.texts() == ["1", "2"])
        },
        Conformance("run() connects, and returns when it is cancelled") { broadcast in
            let running = Task { try await broadcast.run() }
            try await broadcast.ready()
            let messages = try await broadcast.subscribe(to: "c")
            running.cancel()
            try await running.value
            #expect(broadcast.status == .closed)
            #expect(try await messages.texts() == [])
        },
        Conformance("statuses end with the task, and tell the end") { broadcast in
            var statuses = broadcast.statuses.makeAsyncIterator()
            #expect(await statuses.next() == .closed)
            try await broadcast.connect()
            while let status = await statuses.next() { if case .ready = status { break } }
            await broadcast.disconnect()
            #expect(await statuses.next() == .closed)
        },
    ]
}

// MARK: Cancellation

extension Conformance {
    private static let cancellation = [
        Conformance("a cancelled task does nothing") { broadcast in
            await expect(.cancelled) { try await cancelled { try await broadcast.connect() } }
            try await broadcast.connect()
            // Also where the channel is subscribed already.
            let messages = try await broadcast.subscribe(to: "c")
            await expect(.cancelled) { try await cancelled { try await broadcast.connect() } }
            await expect(.cancelled) {
                try await cancelled { try await broadcast.subscribe(to: "c") }
            }
            await expect(.cancelled) {
                try await cancelled { try await broadcast.subscribe(to: "d") }
            }
            await expect(.cancelled) {
                try await cancelled { try await broadcast.publish("x", to: "c") }
            }
            await expect(.cancelled) {
                try await cancelled { try await broadcast.publish(contentsOf: ["x"], to: "c") }
            }
            await expect(.cancelled) { try await cancelled { try await broadcast.ping() } }
            #expect(broadcast.statistics.subscribers == 1)
            #expect(broadcast.statistics.channels == 1)
            try await broadcast.publish("last", to: "c")
            try await broadcast.waitUntilReceived(1)
            await broadcast.disconnect()
            #expect(try await messages.texts() == ["last"])
        },
        Conformance("a loop whose task is cancelled ends without an error") { broadcast in
            try await broadcast.connect()
            let messages = try await broadcast.subscribe(to: "c")
            let reading = Task { try await messages.texts() }
            await Task.yield()
            reading.cancel()
            #expect(try await reading.value == [])
        },
        Conformance("a cancelled subscription ends after what is in its buffer") { broadcast in
            try await broadcast.connect()
            let messages = try await broadcast.subscribe(to: "c")
            try await broadcast.publish("1", to: "c")
            try await broadcast.waitUntilReceived(1)
            messages.cancel()
            #expect(broadcast.statistics.subscribers == 0)
            #expect(try await messages.texts() == ["1"])
        },
    ]
}

// MARK: Delivery

extension Conformance {
    private static let delivery = [
        Conformance("messages arrive as they were, in their order") { broadcast in
            try await broadcast.connect()
            let messages = try await broadcast.subscribe(to: "c", "d")
            let texts = ["", "é 🔑", "a\r\nb", String(repeating: "x", count: 20_000), "last"]
            for (number, text) in texts.enumerated() {
                try await broadcast.publish(text, to: number % 2 == 0 ? "c" : "d")
            }
            try await broadcast.publish([0, 0xff], to: "c")
            try await broadcast.waitUntilReceived(6)
            await broadcast.disconnect()
            var received: [Message] = []
            for try await message in messages { received.append(message) }
            #expect(received.map(\.channel) == ["c", "d", "c", "d", "c", "c"])
            #expect(received.dropLast().map(\.text) == texts)
            #expect(received.last?.bytes == [0, 0xff])
            #expect(received.last?.validText == nil)
            #expect(received.allSatisfy { $0.receivedAt <= .now })
            #expect(received.map(\.receivedAt) == received.map(\.receivedAt).sorted())
        },
        Conformance("each subscriber gets each message once") { broadcast in
            try await broadcast.connect()
            let one = try await broadcast.subscribe(to: "c", "c")
            let other = try await broadcast.subscribe(to: ["c", "d"])
            let receivers = try await broadcast.publish("x", to: "c").receivers
            #expect(receivers == 1 || receivers == nil)
            try await broadcast.publish("y", to: "d")
            try await broadcast.publish("z", to: "nobody")
            try await broadcast.waitUntilReceived(2)
            await broadcast.disconnect()
            #expect(try await one.texts() == ["x"])
            #expect(try await other.texts() == ["x", "y"])
        },
        Conformance("a batch arrives whole and in order") { broadcast in
            try await broadcast.connect()
            let messages = try await broadcast.subscribe(to: "c")
            let texts = (0..<500).map { "\($0)" }
            let receivers = try await broadcast.publish(contentsOf: texts, to: "c")
            #expect(receivers.count == 500)
            try await broadcast.waitUntilReceived(500)
            await broadcast.disconnect()
            #expect(try await messages.texts() == texts)
        },
        Conformance("a full buffer is told with the exact number") { broadcast in
            try await broadcast.connect()
            let oldest = try await broadcast.subscribe(to: "c", buffer: .init(messages: 3))
            let newest = try await broadcast.subscribe(
                to: "c", buffer: .init(messages: 3, overflow: .dropNewest))
            let failing = try await broadcast.subscribe(
                to: "c", buffer: .init(messages: 3, overflow: .fail))
            try await broadcast.publish(contentsOf: (0..<10).map { "\($0)" }, to: "c")
            try await broadcast.waitUntilReceived(10)
            await broadcast.disconnect()
            #expect(try await oldest.words() == ["gap 7", "7", "8", "9"])
            #expect(try await newest.words() == ["0", "1", "2", "gap 7"])
            await #expect(throws: BroadcastError.self) { _ = try await failing.words() }
        },
        Conformance("names that no server takes are refused before anything is sent") { broadcast in
            try await broadcast.connect()
            for call: () async throws -> Void in [
                { _ = try await broadcast.subscribe(to: "") },
                { _ = try await broadcast.subscribe(to: []) },
                { try await broadcast.publish("x", to: "") },
                { try await broadcast.publish(contentsOf: ["x"], to: "") },
            ] {
                let error = await #expect(throws: BroadcastError.self) { try await call() }
                guard case .invalid? = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
            #expect(broadcast.statistics.subscribers == 0)
        },
    ]

}

// MARK: Channels that come and go

extension Conformance {
    static let membership = [
        Conformance("a channel is added to a running subscription, and taken out of it") {
            broadcast in
            try await broadcast.connect()
            let messages = try await broadcast.subscribe(to: "c")
            var texts = messages.makeAsyncIterator()
            try await messages.add("d", "c")
            #expect(messages.channels == ["c", "d"])
            try await broadcast.publish("1", to: "c")
            #expect(try await texts.next()?.text == "1")
            try await broadcast.publish("2", to: "d")
            #expect(try await texts.next()?.text == "2")
            messages.remove("c", "never added")
            #expect(messages.channels == ["d"])
            try await broadcast.publish("nobody's", to: "c")
            try await broadcast.publish("3", to: "d")
            #expect(try await texts.next()?.text == "3")
            messages.remove("d")
            #expect(broadcast.statistics.subscribers == 1)
            try await messages.add("c")
            try await broadcast.publish("4", to: "c")
            #expect(try await texts.next()?.text == "4")
        },
        Conformance("a call that adds and fails leaves the subscription as it was") { broadcast in
            try await broadcast.connect()
            let messages = try await broadcast.subscribe(to: "c")
            await expect(.cancelled) { try await cancelled { try await messages.add("d") } }
            await #expect(throws: BroadcastError.self) { try await messages.add("d", "") }
            #expect(messages.channels == ["c"] && broadcast.statistics.channels == 1)
            try await broadcast.publish("1", to: "c")
            var texts = messages.makeAsyncIterator()
            #expect(try await texts.next()?.text == "1")
            messages.cancel()
            let error = await #expect(throws: BroadcastError.self) { try await messages.add("d") }
            guard case .invalid? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        },
    ]

    // MARK: Words

    private static func expect<Value>(
        _ error: BroadcastError, at location: SourceLocation = #_sourceLocation,
        from body: () async throws -> Value
    ) async {
        await #expect(throws: error, sourceLocation: location) { _ = try await body() }
    }

    /// Runs `body` in a task that is cancelled already.
    private static func cancelled<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        try await Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await body()
        }.value
    }
}

extension Broadcast {
    /// Returns when the server has sent so many messages.
    fileprivate func waitUntilReceived(_ count: Int) async throws {
        while statistics.received < count { try await Task.sleep(for: .milliseconds(1)) }
    }
}

extension Subscription {
    /// The texts of all messages up to the end.
    fileprivate func texts() async throws -> [String] {
        var texts: [String] = []
        for try await message in self { texts.append(message.text) }
        return texts
    }

    /// The texts of all messages, and the gaps, up to the end.
    fileprivate func words() async throws -> [String] {
        var words: [String] = []
        for try await event in events {
            switch event {
            case .message(let message): words.append(message.text)
            case .gap(let gap): words.append("gap \(gap.lost ?? -1)")
            }
        }
        return words
    }
}
