import Broadcaster

extension BackendConformance {
    /// Reading what was published before.
    static let history = [
        BackendConformance(13, "a subscription begins where it is asked to") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            for number in 1...5 { try await broadcast.publish("\(number)", to: channel) }
            let starts: [(SubscriptionStart, [String])] = [
                (.all, ["1", "2", "3", "4", "5"]), (.last(2), ["4", "5"]),
                (.last(100), ["1", "2", "3", "4", "5"]), (.new, []),
                (.since(.seconds(3600)), ["1", "2", "3", "4", "5"]),
            ]
            var subscriptions: [Subscription] = []
            for (start, _) in starts {
                subscriptions.append(try await broadcast.subscribe(to: channel, history: start))
            }
            try await broadcast.publish("end", to: channel)
            for ((start, expected), subscription) in zip(starts, subscriptions) {
                try expect("\(start)", try await subscription.words(upTo: "end"), is: expected)
            }
        },
        BackendConformance(13, "a position is a place to go on from, also as a text") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            let subscription = try await broadcast.subscribe(to: channel)
            for number in 1...5 { try await broadcast.publish("\(number)", to: channel) }
            var positions: [MessagePosition] = []
            for try await message in subscription {
                guard let position = message.position else {
                    throw ConformanceFailure("a message has no position: \(message)")
                }
                positions.append(position)
                if positions.count == 5 { break }
            }
            try await broadcast.publish("end", to: channel)
            for (number, position) in positions.enumerated() {
                guard let read = MessagePosition(position.description) else {
                    throw ConformanceFailure("a position cannot be read again: \(position)")
                }
                let rest = try await broadcast.subscribe(to: channel, history: .after(read))
                try expect(
                    "behind \(number + 1)", try await rest.words(upTo: "end"),
                    is: (number + 1..<5).map { "\($0 + 1)" })
            }
        },
        BackendConformance(13, "pages read the whole history, forwards and backwards") { run in
            let broadcast = try await run.connected()
            let channel = run.channel("c")
            let texts = (0..<25).map { "\($0)" }
            try await broadcast.publish(contentsOf: texts, to: channel)
            var page = try await broadcast.history(of: channel, .oldest, limit: 10)
            var read = page.messages
            while !page.isEnd, let next = page.next {
                page = try await broadcast.history(of: channel, .after(next), limit: 10)
                read += page.messages
            }
            try expect("forwards", read.map(\.text), is: texts)
            page = try await broadcast.history(of: channel, .newest, limit: 10)
            read = page.messages
            while !page.isEnd, let first = read.first?.position {
                page = try await broadcast.history(of: channel, .before(first), limit: 10)
                read = page.messages + read
            }
            try expect("backwards", read.map(\.text), is: texts)
        },
    ]
}
