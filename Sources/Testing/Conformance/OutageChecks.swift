import Broadcaster

extension BackendConformance {
    /// Connections that are lost, and found again.
    static let outages = [
        BackendConformance(3, "a lost connection is one gap, also where no message follows") {
            run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port)
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            let publisher = try await run.connected()
            try await publisher.publish("before", to: channel)
            var events = messages.events.makeAsyncIterator()
            try expect("the first event", text(try await events.next()), is: "before")
            proxy.cut()
            // Where the server keeps the messages nothing is missing, and nothing is told.
            if !broadcast.keepsHistory { try expectLoss(try await events.next()) }
            try await broadcast.ready()
            try await publisher.publish("after", to: channel)
            try expect("the event after that", text(try await events.next()), is: "after")
        },
        BackendConformance(4, "every channel is subscribed again, and each subscriber told once") {
            run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port)
            let publisher = try await run.connected()
            let channels = (0..<20).map { run.channel("\($0)") }
            var subscriptions: [Subscription] = []
            for channel in channels {
                subscriptions.append(try await broadcast.subscribe(to: channel))
            }
            let all = try await broadcast.subscribe(to: channels)
            proxy.reset()
            if !broadcast.keepsHistory {
                var events = all.events.makeAsyncIterator()
                try expectLoss(try await events.next())
            }
            let gaps = broadcast.keepsHistory ? [] : ["gap"]
            for (channel, subscription) in zip(channels, subscriptions) {
                let words = try await run.words(of: subscription, in: channel, from: publisher)
                try expect("what came to one", words, is: gaps)
            }
            var heard: Set<String> = []
            for try await event in all.events {
                guard case .message(let message) = event else {
                    throw ConformanceFailure("a second gap for one loss")
                }
                heard.insert(message.channel)
                if heard.count == channels.count { break }
            }
        },
        BackendConformance(4, "a loss in the middle of connecting again is no special case") {
            run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port)
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            let publisher = try await run.connected()
            for limit in [1, 20, 60, 150] {
                let before = broadcast.statistics.reconnects
                proxy.set { $0 = FaultyProxy.Faults(cuttingEachAfter: limit) }
                proxy.cut()
                try await awaitStatus(of: broadcast) { if case .down = $0 { true } else { false } }
                proxy.set { $0 = FaultyProxy.Faults() }
                try await broadcast.ready()
                while broadcast.statistics.reconnects == before {
                    try await Task.sleep(for: .milliseconds(1))
                }
            }
            let gaps = try await run.words(of: messages, in: channel, from: publisher)
            try expect(
                "only gaps, or none where the server keeps messages: \(gaps)",
                Set(gaps).isSubset(of: ["gap"]) && (broadcast.keepsHistory == gaps.isEmpty))
        },
        BackendConformance(3, "a subscriber on a bad network misses nothing that is not told") {
            run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port)
            let publisher = try await run.connected()
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            let count = 600
            for number in 0..<count {
                if number % 200 == 50 { proxy.cut() }
                if number % 200 == 150 { proxy.reset() }
                try await publisher.publish("\(number)", to: channel)
            }
            let words = try await run.words(of: messages, in: channel, from: publisher)
            try expectNumbers(words, upTo: count, mayMiss: !broadcast.keepsHistory)
        },
        BackendConformance(4, "a server that falls silent is found, and left") { run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port) {
                $0.pingInterval = .seconds(1)
            }
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            proxy.set { $0.swallowsFromServer = true }
            try await awaitStatus(of: broadcast) { if case .ready = $0 { false } else { true } }
            proxy.set { $0 = FaultyProxy.Faults() }
            proxy.cut()
            if !broadcast.keepsHistory {
                var events = messages.events.makeAsyncIterator()
                try expectLoss(try await events.next())
            }
            try await broadcast.ready()
        },
        BackendConformance(10, "bytes may come in any pieces") { run in
            let proxy = try run.proxy()
            proxy.set { $0.slice = 3 }
            let broadcast = try await run.connected(through: proxy.port)
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            let texts = (0..<20).map { "\($0) \(String(repeating: "é", count: $0 * 7))" }
            try await broadcast.publish(contentsOf: texts + ["end"], to: channel)
            try expect("the texts", try await messages.words(upTo: "end"), is: texts)
        },
    ]

    // MARK: Words

    private static func text(_ event: SubscriptionEvent?) -> String {
        switch event {
        case .message(let message): message.text
        case .gap: "a gap"
        case nil: "the end"
        }
    }

    private static func expectLoss(_ event: SubscriptionEvent?) throws {
        guard case .gap(let gap) = event, case .reconnected = gap.reason else {
            throw ConformanceFailure("expected a gap for a lost connection, found \(text(event))")
        }
    }

    static func awaitStatus(
        of broadcast: Broadcast, _ condition: (BroadcastStatus) -> Bool
    ) async throws {
        for await status in broadcast.statuses where condition(status) { return }
        throw ConformanceFailure("the statuses ended before the one that was due")
    }

    /// Checks the numbers from 0 to below `count`: in order, none twice, and where one is missing there is a gap.
    private static func expectNumbers(_ words: [String], upTo count: Int, mayMiss: Bool) throws {
        var next = 0
        var isTold = false
        for word in words + ["\(count)"] {
            guard let number = Int(word) else {
                try expect("no gap where the server keeps messages", mayMiss)
                isTold = true
                continue
            }
            if number < next || number > next && !isTold {
                throw ConformanceFailure(
                    "expected \(next)\(isTold ? " or more" : ""), found \(number)")
            }
            (next, isTold) = (number + 1, false)
        }
    }
}

extension FaultyProxy.Faults {
    /// Cuts each connection after so many bytes from the server.
    init(cuttingEachAfter limit: Int) {
        self.init()
        cutAfter = limit
        cutsAgain = true
    }
}
