import Broadcaster
internal import BroadcasterSockets

extension BackendConformance {
    /// Publishing over a bad connection, and connections that are not to be had.
    static let publishing = [
        BackendConformance(6, "publish without a connection waits, and says that nothing was sent")
        { run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port) {
                $0.publishTimeout = .milliseconds(300)
            }
            proxy.set { $0.refuses = true }
            proxy.cut()
            try await awaitStatus(of: broadcast) { if case .ready = $0 { false } else { true } }
            let channel = run.channel("c")
            let error = try await failure(of: "publish") {
                try await broadcast.publish("x", to: channel)
            }
            guard case .disconnected = error else {
                throw ConformanceFailure("publish: expected .disconnected, found \(error)")
            }
        },
        BackendConformance(6, "publish waits for the connection, and goes on with it") { run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port)
            let observer = try await run.connected()
            let channel = run.channel("c")
            let messages = try await observer.subscribe(to: channel)
            proxy.set { $0.refuses = true }
            proxy.cut()
            try await awaitStatus(of: broadcast) { if case .down = $0 { true } else { false } }
            let publishing = Task { try await broadcast.publish("x", to: channel) }
            await Task.yield()
            proxy.set { $0 = FaultyProxy.Faults() }
            _ = try await publishing.value
            try await observer.publish("end", to: channel)
            try expect("what was published", try await messages.words(upTo: "end"), is: ["x"])
        },
        BackendConformance(6, "a lost answer is told, and the message not sent twice") { run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port)
            let observer = try await run.connected()
            let channel = run.channel("c")
            let messages = try await observer.subscribe(to: channel)
            // What the publisher needs of the server before its first message is there.
            try await broadcast.publish("before", to: channel)
            proxy.set { $0.swallowsFromServer = true }
            let publishing = Task { try await broadcast.publish("x", to: channel) }
            var iterator = messages.makeAsyncIterator()
            try expect("the first message", try await iterator.next()?.text, is: "before")
            try expect("the message", try await iterator.next()?.text, is: "x")
            proxy.set { $0 = FaultyProxy.Faults() }
            proxy.cut()
            do {
                // A backend that can find out whether the message is there may do so.
                _ = try await publishing.value
            } catch let error as BroadcastError {
                guard case .outcomeUnknown = error else {
                    throw ConformanceFailure("publish: expected .outcomeUnknown, found \(error)")
                }
            }
            try await broadcast.publish("end", to: channel)
            try expect("what follows", try await iterator.next()?.text, is: "end")
        },
        BackendConformance(6, "on a bad network nothing is published twice or out of order") {
            run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port)
            let observer = try await run.connected()
            let channel = run.channel("c")
            let messages = try await observer.subscribe(to: channel)
            var accepted: [String] = []
            for number in 0..<300 {
                if number % 60 == 30 { proxy.cut() }
                do {
                    try await broadcast.publish("\(number)", to: channel)
                    accepted.append("\(number)")
                } catch let error as BroadcastError {
                    guard case .outcomeUnknown = error else { throw error }
                }
            }
            try await observer.publish("end", to: channel)
            let received = try await messages.words(upTo: "end")
            let numbers = received.compactMap { Int($0) }
            try expect(
                "numbers rise, and nothing else comes: \(received)",
                zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }
                    && numbers.count == received.count)
            try expect("all that was accepted came", Set(accepted).isSubset(of: received))
        },
        BackendConformance(5, "connect() says that nobody is there") { run in
            let port = try unusedPort()
            let broadcast = try run.broadcast(through: port)
            let error = try await failure(of: "connect") { try await broadcast.connect() }
            guard case .unreachable = error else {
                throw ConformanceFailure("connect: expected .unreachable, found \(error)")
            }
            try expect("the status is closed", broadcast.status == .closed)
        },
        BackendConformance(5, "connect() to a server that says nothing has an end") { run in
            let silent = try ScriptedServer { _, _ in }
            let broadcast = try run.broadcast(through: silent.port) {
                $0.connectTimeout = .milliseconds(300)
            }
            _ = try await failure(of: "connect") { try await broadcast.connect() }
            try expect("the status is closed", broadcast.status == .closed)
        },
    ]

    /// A port on which nobody listens.
    private static func unusedPort() throws -> UInt16 {
        try Listener(at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0]).address.port
    }
}
