import Broadcaster

extension BackendConformance {
    /// The content and the order of what arrives.
    static let delivery = [
        BackendConformance(1, "what is published right after subscribe() returns is received") {
            run in
            let subscriber = try await run.connected()
            let publisher = run.subject.serverPort == nil ? subscriber : try await run.connected()
            for number in 0..<20 {
                let channel = run.channel("\(number)")
                let messages = try await subscriber.subscribe(to: channel)
                try await publisher.publish("\(number)", to: channel)
                var iterator = messages.makeAsyncIterator()
                try expect("the first message", try await iterator.next()?.text, is: "\(number)")
            }
        },
        BackendConformance(12, "messages arrive as they were, in their order") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            let texts = ["", "é 🔑", "a\r\nb\0c", String(repeating: "x", count: 20_000), "last"]
            for text in texts { try await broadcast.publish(text, to: channel) }
            try await broadcast.publish([0, 0xff], to: channel)
            var received: [Message] = []
            for try await message in messages {
                received.append(message)
                if received.count == texts.count + 1 { break }
            }
            try expect("the texts", received.dropLast().map(\.text), is: texts)
            try expect("the bytes", received.last?.bytes, is: [0, 0xff])
            try expect("bytes are no text", received.last?.validText == nil)
            try expect("each has its channel", received.allSatisfy { $0.channel == channel })
            let times = received.map(\.receivedAt)
            try expect("times rise", times == times.sorted() && times.allSatisfy { $0 <= .now })
        },
        BackendConformance(2, "each subscriber gets each message once") { run in
            let broadcast = try await run.connected()
            let (one, other) = (run.channel("c"), run.channel("d"))
            let first = try await broadcast.subscribe(to: one, one)
            let second = try await broadcast.subscribe(to: [one, other])
            let receivers = try await broadcast.publish("x", to: one).receivers
            try expect(
                "one connection receives, or nobody can say", receivers == 1 || receivers == nil)
            try await broadcast.publish("nobody's", to: run.channel("nobody"))
            try await broadcast.publish("end", to: one)
            try expect("one channel", try await first.words(upTo: "end"), is: ["x"])
            try expect("the same one of two", try await second.words(upTo: "end"), is: ["x"])
            try await broadcast.publish("end of the other", to: other)
            try expect("the other", try await second.words(upTo: "end of the other"), is: [])
        },
        BackendConformance(2, "a batch arrives whole and in order") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            let texts = (0..<500).map { "\($0)" }
            let receipts = try await broadcast.publish(contentsOf: texts, to: channel)
            try expect("answers", receipts.count, is: texts.count)
            try await broadcast.publish("end", to: channel)
            try expect("the texts", try await messages.words(upTo: "end"), is: texts)
        },
        BackendConformance(7, "a full buffer is told with the exact number") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            func subscribe(_ overflow: SubscriptionBuffer.Overflow) async throws -> Subscription {
                try await broadcast.subscribe(
                    to: channel, buffer: SubscriptionBuffer(messages: 3, overflow: overflow))
            }
            let oldest = try await subscribe(.dropOldest)
            let newest = try await subscribe(.dropNewest)
            let failing = try await subscribe(.fail)
            let witness = try await broadcast.subscribe(to: channel)
            try await broadcast.publish(contentsOf: (0..<10).map { "\($0)" } + ["end"], to: channel)
            _ = try await witness.words(upTo: "end")
            while broadcast.statistics.dropped < 16 {
                try await Task.sleep(for: .milliseconds(1))
            }
            await broadcast.disconnect()
            try expect("the newest stay", try await oldest.words(), is: ["gap 8", "8", "9", "end"])
            try expect("the oldest stay", try await newest.words(), is: ["0", "1", "2", "gap 8"])
            let error = try await failure(of: "a full buffer") { try await failing.words() }
            guard case .overflow = error else {
                throw ConformanceFailure("a full buffer: expected .overflow, found \(error)")
            }
        },
        BackendConformance(7, "what no server takes is refused before anything is sent") { run in
            let broadcast = try await run.connected()
            let calls: [(String, () async throws -> Void)] = [
                ("a name without a byte", { _ = try await broadcast.subscribe(to: "") }),
                ("no name", { _ = try await broadcast.subscribe(to: []) }),
                ("publishing to no name", { try await broadcast.publish("x", to: "") }),
                ("a batch to no name", { try await broadcast.publish(contentsOf: ["x"], to: "") }),
            ]
            for (name, call) in calls {
                let error = try await failure(of: name, call)
                guard case .invalid = error else {
                    throw ConformanceFailure("\(name): expected .invalid, found \(error)")
                }
            }
            try expect("subscribers", broadcast.statistics.subscribers, is: 0)
        },
        BackendConformance(7, "a message above the limit is refused, and the others go on") { run in
            let broadcast = try await run.connected { $0.maximumMessageSize = 1000 }
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            let large = String(repeating: "x", count: 1001)
            let error = try await failure(of: "a large message") {
                try await broadcast.publish(large, to: channel)
            }
            guard case .invalid = error else {
                throw ConformanceFailure("a large message: expected .invalid, found \(error)")
            }
            try await broadcast.publish(String(large.dropFirst()), to: channel)
            var iterator = messages.makeAsyncIterator()
            try expect("the size", try await iterator.next()?.count, is: 1000)
        },
    ]

    /// Channels that come and go.
    static let membership = [
        BackendConformance(1, "a channel is added to a running subscription, and taken out of it") {
            run in
            let broadcast = try await run.connected()
            let (c, d) = (run.channel("c"), run.channel("d"))
            let messages = try await broadcast.subscribe(to: c)
            var iterator = messages.makeAsyncIterator()
            try await messages.add(d, c)
            try expect("the channels", messages.channels, is: [c, d])
            for (text, channel) in [("1", c), ("2", d)] {
                try await broadcast.publish(text, to: channel)
                try expect("the message", try await iterator.next()?.text, is: text)
            }
            messages.remove(c, "never added")
            try expect("the channels", messages.channels, is: [d])
            try await broadcast.publish("nobody's", to: c)
            try await broadcast.publish("3", to: d)
            try expect("the message", try await iterator.next()?.text, is: "3")
            messages.remove(d)
            try expect("subscribers", broadcast.statistics.subscribers, is: 1)
            try await messages.add(c)
            try await broadcast.publish("4", to: c)
            try expect("the message", try await iterator.next()?.text, is: "4")
        },
        BackendConformance(8, "a call that adds and fails leaves the subscription as it was") {
            run in
            let broadcast = try await run.connected()
            let (c, d) = (run.channel("c"), run.channel("d"))
            let messages = try await broadcast.subscribe(to: c)
            try await expect(.cancelled, from: "add") {
                try await cancelled { try await messages.add(d) }
            }
            _ = try await failure(of: "a name without a byte") { try await messages.add(d, "") }
            try expect("the channels", messages.channels, is: [c])
            try expect("channels", broadcast.statistics.channels, is: 1)
            try await broadcast.publish("1", to: c)
            var iterator = messages.makeAsyncIterator()
            try expect("the message", try await iterator.next()?.text, is: "1")
            messages.cancel()
            let error = try await failure(of: "an ended subscription") { try await messages.add(d) }
            guard case .invalid = error else {
                throw ConformanceFailure("an ended subscription: expected .invalid, found \(error)")
            }
        },
        BackendConformance(1, "a pattern brings the messages of the channels that match it") {
            run in
            guard let pattern = run.subject.pattern else { return }
            let broadcast = try await run.connected()
            let text = pattern(run.channel("news"))
            let messages = try await broadcast.subscribe(toPatterns: text)
            try await broadcast.publish("other", to: run.channel("weather"))
            for name in ["news.sport", "news.art"] {
                let channel = run.channel(name)
                try await broadcast.publish(name, to: channel)
                var iterator = messages.makeAsyncIterator()
                let message = try await iterator.next()
                try expect("the message", message?.text, is: name)
                try expect("its channel", message?.channel, is: channel)
                try expect("its pattern", message?.pattern, is: text)
            }
        },
    ]
}
