import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Synchronization

/// One soak of one backend: a server, a proxy that makes faults, a publisher that knows nothing of the library, an
/// audience that knows nothing of the publisher, and two kinds of logs that are compared at the end.
struct Soak {
    let backend: SoakBackend
    let options: SoakOptions
    let folder: String
    private var random: SeededRandom
    private let server: any SoakServer
    private let proxy: FaultyProxy
    private let publisher: IndependentPublisher
    private var restarts = 0

    init(_ backend: SoakBackend, _ options: SoakOptions, logsIn folder: String) async throws {
        (self.backend, self.options, self.folder) = (backend, options, folder)
        random = SeededRandom(seed: options.seed)
        let server = try await backend.makeServer()
        self.server = server
        proxy = try FaultyProxy(toPort: server.port)
        try await server.isBehind(proxyPort: proxy.port)
        publisher = try IndependentPublisher(
            of: Audience.channels + [Audience.visited], rate: server.publisherRate,
            to: server.publisherAddress(), log: LogFile("\(folder)/published.log"),
            dialect: { server.makeDialect() })
    }

    /// Runs the soak. Returns the faults found; none if all was well.
    mutating func run() async throws -> [String] {
        // The first sleep opens a timer that stays: the concurrency runtime's own.
        try await Task.sleep(for: .milliseconds(1))
        let before = ProcessUsage.openFiles
        let result = try await listenAndBreak()
        await publisher.stop()
        var problems = result.problems
        for subscriber in result.subscribers { try decide(on: subscriber, &problems) }
        let counts = publisher.counts
        say("published \(counts.accepted), without an answer \(counts.unknown)")
        if let leak = await leakedDescriptors(since: before) { problems.append(leak) }
        return problems
    }

    // MARK: While it runs

    private struct Outcome {
        var subscribers: [LoggingSubscriber]
        var problems: [String]
    }

    private mutating func listenAndBreak() async throws -> Outcome {
        let log = try LogFile("\(folder)/library.log")
        var settings = BroadcastOptions()
        settings.log = { log.write("\(Moment.now) \($0)") }
        let broadcast = try Broadcast(server.url(throughPort: proxy.port), options: settings)
        try await broadcast.connect()
        let audience = try Audience(of: broadcast, logsIn: folder)
        try await audience.arrive(at: server, random.next())
        try publisher.start()
        let monitor = SoakMonitor(broadcast, audience, publisher, name: backend.rawValue)
        let watching = Task { await monitor.run() }
        let visiting = Task { [seed = random.next()] in
            await audience.visit(SeededRandom(seed: seed))
        }
        var problems: [String] = []
        do {
            problems += try await doFaults(monitor)
            visiting.cancel()
            await visiting.value
            problems += try await sendLastMessages(to: audience)
        } catch {
            problems.append("\(error)")
        }
        visiting.cancel()
        await visiting.value
        watching.cancel()
        await watching.value
        let subscribers = audience.subscribers
        await audience.leave()
        await broadcast.disconnect()
        if options.seconds >= 600, let growth = monitor.growth { problems.append(growth) }
        return Outcome(subscribers: subscribers, problems: problems)
    }

    /// Each fault has its share of the time, and begins at a random moment of the first half of it.
    private mutating func doFaults(_ monitor: SoakMonitor) async throws -> [String] {
        var saboteur = Saboteur(proxy: proxy, server: server, publisher: publisher, random: random)
        var problems: [String] = []
        let faults = Fault.sequence(options.faultCount, &random)
        let start = ContinuousClock.now
        let share = Duration.seconds(options.seconds) / max(1, faults.count)
        for (number, fault) in faults.enumerated() {
            let moment = start + share * number + share * Double.random(in: 0...0.5, using: &random)
            try await Task.sleep(until: moment)
            let losses = monitor.losses
            let wasReady = monitor.isReady
            let began = ContinuousClock.now - start
            let detail = try await saboteur.perform(fault)
            if fault == .restart { restarts += 1 }
            say("\(began.tenths) s  fault \(number + 1): \(fault.rawValue) \(detail)")
            if fault.mustBeNoticed, wasReady, monitor.losses == losses {
                problems.append("fault \(number + 1), \(fault.rawValue) \(detail): not noticed")
            }
        }
        try await Task.sleep(until: start + .seconds(options.seconds))
        return problems
    }

    /// Ends the publishing after all faults are healed: the last message of each channel must then reach every
    /// subscriber.
    private func sendLastMessages(to audience: Audience) async throws -> [String] {
        publisher.quieten()
        audience.hurry()
        let deadline = ContinuousClock.now + .seconds(30)
        var missing: [String] = []
        while ContinuousClock.now < deadline {
            publisher.burst(publisher.channels.count)
            for _ in 0..<50 {
                try await Task.sleep(for: .milliseconds(20))
                guard publisher.isIdle else { continue }
                missing = audience.whoMisses(publisher.last)
                if missing.isEmpty { return [] }
            }
        }
        return ["without the last message after 30 s: \(missing.joined(separator: ", "))"]
    }

    // MARK: Afterwards

    private func decide(on subscriber: LoggingSubscriber, _ problems: inout [String]) throws {
        let check = try LogCheck(
            published: publisher.logPath, keepsHistory: server.keepsHistory,
            ordersChannels: server.ordersChannels)
        let verdict = try check.verdict(on: subscriber.path)
        say("\(subscriber.name): \(verdict.summary)")
        for violation in verdict.violations {
            problems.append("\(subscriber.name).log:\(violation)")
        }
        if let allowed = server.gapsAllowed(restarts: restarts) {
            for (reason, count) in subscriber.current.gaps where count > allowed[reason] ?? 0 {
                problems.append(
                    "\(subscriber.name) was told of \(count) \(reason), for \(restarts) restarts")
            }
        }
        if let failure = subscriber.current.failure {
            problems.append("\(subscriber.name) ended with \(failure)")
        }
    }

    private func leakedDescriptors(since before: [String]) async -> String? {
        var surplus: [String] = []
        for _ in 0..<100 {
            // The proxy holds the connections that were not cut.
            proxy.cut()
            // libdispatch makes a timerfd when it first sets a timer; nothing here uses one.
            surplus = ProcessUsage.openFiles.filter { $0 != "anon_inode:[timerfd]" }
            for file in before {
                if let index = surplus.firstIndex(of: file) { surplus.remove(at: index) }
            }
            if surplus.isEmpty { return nil }
            try? await Task.sleep(for: .milliseconds(50))
        }
        return "descriptors left open: \(surplus.joined(separator: ", "))"
    }

    private func say(_ text: String) {
        Console.say("\(backend.rawValue)  \(text)")
    }
}

extension Duration {
    /// Seconds with one digit after the point.
    var tenths: String {
        let tenths = Int(self / .milliseconds(100))
        return "\(tenths / 10).\(tenths % 10)"
    }
}

extension Fault {
    /// True for a fault with a silence after which the client gives up the connection.
    var mustBeNoticed: Bool {
        self == .silentServer || self == .silence || self == .longFreeze
    }
}
