import Broadcaster

extension BackendConformance {
    /// The life of a connection, when nothing is wrong.
    static let life = [
        BackendConformance(5, "before connect() each call says so") { run in
            let broadcast = try run.broadcast()
            try expect("the status is closed", broadcast.status == .closed && !broadcast.isReady)
            try await expectNotConnected(broadcast, run.channel("c"))
            try await expect(.notConnected, from: "ping") { try await broadcast.ping() }
        },
        BackendConformance(5, "connect() may be called twice, and disconnect() too") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            try await broadcast.connect()
            try expect("the connection is ready", broadcast.isReady)
            try await broadcast.ready()
            try expect("a ping takes no negative time", try await broadcast.ping() >= .zero)
            await broadcast.disconnect()
            await broadcast.disconnect()
            try await expectNotConnected(broadcast, channel)
            try await broadcast.connect()
            try await broadcast.publish("x", to: channel)
        },
        BackendConformance(9, "disconnect() ends a subscription after what it had received") {
            run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            try await broadcast.publish(contentsOf: ["1", "2"], to: channel)
            try await broadcast.waitUntilReceived(2)
            await broadcast.disconnect()
            try expect("what was received", try await messages.texts(), is: ["1", "2"])
        },
        BackendConformance(9, "run() connects, and returns when it is cancelled") { run in
            let broadcast = try run.broadcast()
            let running = Task { try await broadcast.run() }
            try await broadcast.ready()
            let messages = try await broadcast.subscribe(to: run.channel("c"))
            running.cancel()
            try await running.value
            try expect("the status is closed", broadcast.status == .closed)
            try expect("what was received", try await messages.texts(), is: [])
        },
        BackendConformance(9, "statuses end with the task, and tell the end") { run in
            let broadcast = try run.broadcast()
            var statuses = broadcast.statuses.makeAsyncIterator()
            try expect("the first status is closed", await statuses.next() == .closed)
            try await broadcast.connect()
            while let status = await statuses.next() { if case .ready = status { break } }
            await broadcast.disconnect()
            try expect("the last status is closed", await statuses.next() == .closed)
        },
    ]

    private static func expectNotConnected(_ broadcast: Broadcast, _ channel: String) async throws {
        try await expect(.notConnected, from: "publish") {
            try await broadcast.publish("x", to: channel)
        }
        try await expect(.notConnected, from: "publish(contentsOf:)") {
            try await broadcast.publish(contentsOf: ["x"], to: channel)
        }
        try await expect(.notConnected, from: "subscribe") {
            try await broadcast.subscribe(to: channel)
        }
    }

    /// Tasks that are cancelled.
    static let cancellation = [
        BackendConformance(8, "a cancelled task does nothing") { run in
            let broadcast = try run.broadcast()
            let (one, other) = (run.channel("c"), run.channel("d"))
            let calls: [(String, @Sendable () async throws -> Void)] = [
                ("connect", { try await broadcast.connect() }),
                // A channel that is subscribed already, and one that is not.
                ("subscribe", { _ = try await broadcast.subscribe(to: one) }),
                ("subscribe", { _ = try await broadcast.subscribe(to: other) }),
                ("publish", { try await broadcast.publish("x", to: one) }),
                ("a batch", { try await broadcast.publish(contentsOf: ["x"], to: one) }),
                ("ping", { _ = try await broadcast.ping() }),
            ]
            try await expect(.cancelled, from: "connect") { try await cancelled(calls[0].1) }
            try await broadcast.connect()
            let messages = try await broadcast.subscribe(to: one)
            for (name, call) in calls {
                try await expect(.cancelled, from: name) { try await cancelled(call) }
            }
            try expect("subscribers", broadcast.statistics.subscribers, is: 1)
            try expect("channels", broadcast.statistics.channels, is: 1)
            try await broadcast.publish("last", to: one)
            try await broadcast.waitUntilReceived(1)
            await broadcast.disconnect()
            try expect("what was received", try await messages.texts(), is: ["last"])
        },
        BackendConformance(8, "a loop whose task is cancelled ends without an error") { run in
            let broadcast = try await run.connected()
            let messages = try await broadcast.subscribe(to: run.channel("c"))
            let reading = Task { try await messages.texts() }
            await Task.yield()
            reading.cancel()
            try expect("what was received", try await reading.value, is: [])
        },
        BackendConformance(8, "a cancelled subscription ends after what is in its buffer") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            try await broadcast.publish("1", to: channel)
            try await broadcast.waitUntilReceived(1)
            messages.cancel()
            try expect("subscribers", broadcast.statistics.subscribers, is: 0)
            try expect("what was received", try await messages.texts(), is: ["1"])
        },
        BackendConformance(8, "the last subscriber's leaving unsubscribes at the server") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            let (one, other) = (
                try await broadcast.subscribe(to: channel),
                try await broadcast.subscribe(to: channel)
            )
            one.cancel()
            try expect("channels", broadcast.statistics.channels, is: 1)
            other.cancel()
            // The server is told in its turn.
            while broadcast.statistics.channels > 0 { try await Task.sleep(for: .milliseconds(1)) }
            while let receivers = try await broadcast.publish("x", to: channel).receivers,
                receivers > 0
            {}
        },
    ]
}
