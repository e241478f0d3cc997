import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// Against a real RabbitMQ. One node serves all of these tests, so each has channels of its own.
@Suite(
    .takesTurns, .enabled(if: Programs.areAvailable(Programs.rabbitmq), "needs rabbitmq-server"),
    .serialized,
    .timeLimit(.minutes(5)))
struct RabbitMQTests {
    private func connected(_ rest: String = "") async throws -> Broadcast {
        let server = try await RabbitMQServer.shared.value
        // A test may run on a machine that is busy with all the others.
        var options = BroadcastOptions()
        options.subscribeTimeout = .seconds(60)
        options.connectTimeout = .seconds(60)
        options.publishTimeout = .seconds(60)
        let broadcast = try Broadcast(server.url(rest).patient, options: options)
        try await broadcast.connect()
        return broadcast
    }

    @Test func theServerIsNamed() async throws {
        let broadcast = try await connected()
        _ = try await broadcast.ping()
        guard case .ready(let info) = broadcast.status else {
            Issue.record("\(broadcast.status)")
            return
        }
        print("RabbitMQ \(info.version)")
        #expect(info.product == "rabbitmq" && info.version.hasPrefix("3."))
        await broadcast.disconnect()
    }

    @Test func oddNamesAndBinaryPayloadsArriveAsTheyWere() async throws {
        let broadcast = try await connected()
        let names = [
            "rabbit plain", "two words", "cr\r\nlf", "nul\0", "emoji 🎉", "\"quoted\"", "*", "#",
            "a.*",
            String(repeating: "x", count: 255),
        ]
        let payloads: [[UInt8]] = [
            [], [0], Array(0...255), Array(repeating: 0xce, count: 300_000),
        ]
        let subscription = try await broadcast.subscribe(to: names, buffer: nil)
        for name in names {
            for payload in payloads {
                #expect(try await broadcast.publish(payload, to: name).receivers == nil)
            }
        }
        var messages = subscription.makeAsyncIterator()
        for name in names {
            for payload in payloads {
                let message = try await messages.next()
                #expect(message?.channel == name)
                #expect(message?.bytes == payload)
            }
        }
        await broadcast.disconnect()
    }

    /// A channel whose name is a wildcard of topic exchanges is a channel like any other.
    @Test func aChannelNamedLikeAWildcardHearsOnlyItself() async throws {
        let broadcast = try await connected()
        var star = Sight(try await broadcast.subscribe(to: "odd.*"))
        try await broadcast.publish("other", to: "odd.x")
        try await broadcast.publish("own", to: "odd.*")
        #expect(try await star.next() == "own")
        await broadcast.disconnect()
    }

    @Test func nobodyListensIsKnown() async throws {
        let broadcast = try await connected()
        #expect(try await broadcast.publish("x", to: "rabbit nobody").receivers == 0)
        let results = try await broadcast.publish(
            contentsOf: Array(repeating: "x", count: 500), to: "rabbit nobody")
        #expect(results.allSatisfy { $0.receivers == 0 })
        let subscription = try await broadcast.subscribe(to: "rabbit nobody")
        #expect(try await broadcast.publish("x", to: "rabbit nobody").receivers == nil)
        subscription.cancel()
        // The binding goes with the last subscriber.
        while try await broadcast.publish("x", to: "rabbit nobody").receivers != 0 {}
        await broadcast.disconnect()
    }

    @Test func patternsMatchAsTheyDoElsewhere() async throws {
        let broadcast = try await connected()
        let subscription = try await broadcast.subscribe(
            to: ["rnews.swift"], patterns: ["rnews.*", "rnews.?.b", "*.swift"])
        for name in ["rnews", "rnews.swift", "rnews.a.b", "rnews.", "x.y.swift"] {
            try await broadcast.publish("x", to: name)
        }
        var seen: Set<String> = []
        for try await message in subscription {
            seen.insert("\(message.channel) \(message.pattern ?? "-")")
            if message.channel == "x.y.swift" { break }
        }
        #expect(
            seen == [
                "rnews.swift -", "rnews.swift rnews.*", "rnews.swift *.swift", "rnews.a.b rnews.*",
                "rnews.a.b rnews.?.b", "rnews. rnews.*", "x.y.swift *.swift",
            ])
        await broadcast.disconnect()
    }

    @Test func aHundredThousandMessagesArriveCompleteAndInOrder() async throws {
        let broadcast = try await connected(), publisher = try await connected()
        let subscription = try await broadcast.subscribe(
            to: "rabbit many", buffer: SubscriptionBuffer(messages: 100_000, bytes: 64 << 20))
        async let results = publisher.publish(
            contentsOf: (0..<100_000).map(String.init), to: "rabbit many")
        var next = 0
        for try await event in subscription.events {
            guard case .message(let message) = event else {
                Issue.record("\(event)")
                break
            }
            #expect(message.text == "\(next)")
            next += 1
            if next == 100_000 { break }
        }
        #expect(try await results.allSatisfy { $0.receivers == nil })
        await publisher.disconnect()
        await broadcast.disconnect()
    }

    @Test func thousandsOfChannelsAreSubscribedAtOnce() async throws {
        let broadcast = try await connected()
        let names = (0..<3000).map { "rabbit channel-\($0)" }
        let subscription = try await broadcast.subscribe(to: names)
        for name in [names[0], names[2999]] { try await broadcast.publish(name, to: name) }
        var messages = subscription.makeAsyncIterator()
        #expect(try await messages.next()?.text == names[0])
        #expect(try await messages.next()?.text == names[2999])
        await broadcast.disconnect()
    }

    @Test func aStormLeavesNothingBehind() async throws {
        let server = try await RabbitMQServer.shared.value
        let broadcast = try await connected("?connection_name=storm")
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<1000 {
                group.addTask {
                    let channel = "storm \(number % 7)"
                    let subscription = try? await broadcast.subscribe(to: channel)
                    _ = try? await broadcast.publish("x", to: channel)
                    subscription?.cancel()
                }
            }
        }
        _ = try await broadcast.ping()
        for channel in 0..<7 {
            while try await broadcast.publish("x", to: "storm \(channel)").receivers != 0 {}
        }
        await broadcast.disconnect()
        while try await server.control("list_connections", "client_properties")
            .contains(where: { $0.contains("storm") })
        {}
    }

    // MARK: Refusals

    @Test func loginsAreChecked() async throws {
        let server = try await RabbitMQServer.shared.value
        for (login, path, says) in [
            ("guest:wrong@", "", "authentication failed: ACCESS_REFUSED"),
            ("", "/nope", "the server refused: NOT_ALLOWED - vhost nope not found"),
        ] {
            let broadcast = try Broadcast("amqp://\(login)127.0.0.1:\(server.port)\(path)".patient)
            let error = await #expect(throws: BroadcastError.self) { try await broadcast.connect() }
            #expect(error?.description.hasPrefix(says) == true, "\(String(describing: error))")
        }
    }

    @Test func rightsAreToldInWords() async throws {
        let server = try await RabbitMQServer.shared.value
        try await server.control("add_user", "limited", "pw")
        try await server.control("set_permissions", "limited", "^$", "^$", "^$")
        let broadcast = try Broadcast("amqp://limited:pw@127.0.0.1:\(server.port)".patient)
        try await broadcast.connect()
        var error = await #expect(throws: BroadcastError.self) {
            try await broadcast.publish("x", to: "c")
        }
        let isDenied = if case .permissionDenied? = error { true } else { false }
        #expect(isDenied, "\(String(describing: error))")
        error = await #expect(throws: BroadcastError.self) {
            _ = try await broadcast.subscribe(to: "c")
        }
        #expect(
            error?.description.contains("ACCESS_REFUSED") == true, "\(String(describing: error))")
        await broadcast.disconnect()
    }

    /// A strict account uses an exchange that is there already.
    @Test func theServersOwnExchangeWillDo() async throws {
        let broadcast = try await connected("?exchange=amq.topic")
        var sight = Sight(try await broadcast.subscribe(to: ["strict.a"], patterns: ["strict.b*"]))
        try await broadcast.publish("a", to: "strict.a")
        try await broadcast.publish("b", to: "strict.bc")
        #expect(try await sight.all(upTo: "b") == ["a", "b"])
        await broadcast.disconnect()
    }

    @Test func anExchangeOfAnotherKindIsSaid() async throws {
        let first = try await connected("?exchange=kind"),
            second = try await connected("?exchange=kind.exact")
        try await first.publish("x", to: "c")
        let error = await #expect(throws: BroadcastError.self) {
            try await second.publish("x", to: "c")
        }
        #expect(error?.description.contains("PRECONDITION_FAILED") == true)
        await first.disconnect()
        await second.disconnect()
    }

    // MARK: TLS

    @Test(.enabled(if: Certificates.areAvailable, "needs openssl and faketime"))
    func bothConnectionsAreSecured() async throws {
        let server = try await RabbitMQServer.shared.value
        let authority = Certificates.certificate("ca")
        let url = "amqps://localhost:\(server.securePort)"
        try await withBroadcast("\(url)?cacertfile=\(authority)") { broadcast in
            var sight = Sight(try await broadcast.subscribe(to: "secret"))
            let long = String(repeating: "x", count: 300_000)
            for text in ["hello", long] {
                try await broadcast.publish(text, to: "secret")
                #expect(try await sight.next() == text)
            }
        }
        let error = await #expect(throws: BroadcastError.self) {
            try await Broadcast(url.patient).connect()
        }
        #expect(error?.description.contains("certificate") == true, "\(String(describing: error))")
    }

    /// SASL EXTERNAL: the user is the certificate's common name.
    @Test(.enabled(if: Certificates.areAvailable, "needs openssl and faketime"))
    func aCertificateIsALogin() async throws {
        let server = try await RabbitMQServer.shared.value
        func url(_ name: String) -> String {
            "amqps://localhost:\(server.securePort)?auth_mechanism=external"
                + "&cacertfile=\(Certificates.certificate("ca"))"
                + "&certfile=\(Certificates.certificate(name))&keyfile=\(Certificates.key(name))"
        }
        // The common name of the certificate, whose user nobody has made yet.
        let stranger = await #expect(throws: BroadcastError.self) {
            try await Broadcast(url("client").patient).connect()
        }
        #expect(
            stranger?.description.contains("ACCESS_REFUSED") == true,
            "\(String(describing: stranger))")
        try await server.control("add_user", "scram", "not used")
        try await server.control("set_permissions", "scram", ".*", ".*", ".*")
        try await withBroadcast(url("client").patient) { broadcast in
            var sight = Sight(try await broadcast.subscribe(to: "certified"))
            try await broadcast.publish("hello", to: "certified")
            #expect(try await sight.next() == "hello")
            let users = try await server.control("list_connections", "user", "auth_mechanism")
            #expect(users.filter { $0 == "scram\tEXTERNAL" }.count == 2, "\(users)")
        }
        // Another authority's certificate of the same name is none.
        let other = await #expect(throws: BroadcastError.self) {
            try await Broadcast(url("client2").patient).connect()
        }
        #expect(
            other?.description.contains("does not trust our certificate") == true,
            "\(String(describing: other))")
    }

    // MARK: The queue is full

    /// A process that does not read costs the server its queue and no more; what fell is told with its count.
    @Test func aStuckSubscriberCostsTheServerItsQueueAlone() async throws {
        let server = try await RabbitMQServer.shared.value
        let stuck = try ServerProcess([
            Programs.broadcast, "subscribe", "--format", "json", "--url",
            server.url("?max_length=500&ping=100s&heartbeat=100"), "stuck",
        ])
        _ = await stuck.line(containing: "subscribed")
        let publisher = try await connected()
        try await publisher.publish("first", to: "stuck")
        _ = await stuck.line(containing: "first")
        stuck.signal(SIGSTOP)
        let body = String(repeating: "x", count: 10_000)
        for _ in 0..<5 {
            _ = try await publisher.publish(
                contentsOf: Array(repeating: body, count: 1000), to: "stuck")
        }
        // Streams of other tests count what they keep.
        let queues = try await server.control("list_queues", "messages", "type")
        let waiting = queues.filter { $0.hasSuffix("classic") }
            .compactMap { $0.split(separator: "\t").first.flatMap { Int($0) } }
        #expect(waiting.max() ?? 0 <= 500, "\(waiting)")
        stuck.signal(SIGCONT)
        try await publisher.publish("last", to: "stuck")
        var (messages, lost) = (0, 0)
        for await line in stuck.lines {
            if line.contains("\"type\":\"message\"") { messages += 1 }
            if let start = line.firstRange(of: "\"lost\":")?.upperBound {
                lost += Int(line[start...].prefix { $0.isNumber }) ?? 0
            }
            if line.contains("last") { break }
        }
        #expect(messages + lost == 5001, "\(messages) came, \(lost) fell")
        #expect(lost > 0)
        stuck.signal(SIGKILL)
        await publisher.disconnect()
    }
}
