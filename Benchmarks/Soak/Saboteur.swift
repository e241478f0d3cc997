import BroadcasterTestSupport
import BroadcasterTesting

/// Makes the faults, one after the other, and leaves everything healed.
struct Saboteur {
    let proxy: FaultyProxy
    let server: any SoakServer
    let publisher: IndependentPublisher
    var random: SeededRandom

    /// Makes a fault. Returns when it is over, with details beside the fault's name.
    mutating func perform(_ fault: Fault) async throws -> String {
        switch fault {
        case .cut, .repeatedCuts, .cutMidway, .reset, .halfClose: try await breakConnections(fault)
        case .silentServer, .silentClient, .silence, .delay: try await hinder(fault)
        case .slices: try await slice()
        case .refusal: try await refuse()
        case .shortFreeze: try await freeze(.milliseconds(time(50...300)))
        // Twice as long as the interval of the ping and its deadline.
        case .longFreeze: try await freeze(.milliseconds(time(2000...2800)))
        case .restart: try await restart()
        case .expulsion: try await server.expel(&random)
        case .disturbance: try await server.disturb(&random)
        case .burst: burst()
        }
    }

    private mutating func breakConnections(_ fault: Fault) async throws -> String {
        switch fault {
        case .reset: proxy.reset()
        case .halfClose: proxy.halfClose()
        case .cutMidway:
            let bytes = time(1...3000)
            proxy.cut()
            proxy.set { $0.cutAfter = bytes }
            return "\(bytes) bytes after the connection before"
        case .repeatedCuts:
            for _ in 0..<3 {
                proxy.cut()
                try await Task.sleep(for: .milliseconds(time(0...120)))
            }
        default: proxy.cut()
        }
        return ""
    }

    private mutating func hinder(_ fault: Fault) async throws -> String {
        let duration = Duration.milliseconds(time(2000...2800))
        let delay = Duration.milliseconds(time(1...200))
        proxy.set { faults in
            faults.swallowsFromServer = fault == .silentServer || fault == .silence
            faults.swallowsFromClient = fault == .silentClient || fault == .silence
            if fault == .delay { faults.delay = delay }
        }
        try await Task.sleep(for: duration)
        try await endTaintedConnections()
        return fault == .delay ? "of \(delay) for \(duration)" : "for \(duration)"
    }

    /// Ends the connections that a fault has tainted: no network loses bytes from the middle of a stream, or lets
    /// later ones overtake, so such a connection must not live on when the fault ends.
    private func endTaintedConnections() async throws {
        proxy.set { $0.refuses = true }
        try await Task.sleep(for: .milliseconds(20))
        proxy.reset()
        proxy.set { $0 = FaultyProxy.Faults() }
    }

    private mutating func slice() async throws -> String {
        let size = [1, 1, 2, 7].randomElement(using: &random) ?? 1
        let duration = Duration.milliseconds(time(300...1000))
        proxy.set { $0.slice = size }
        try await Task.sleep(for: duration)
        proxy.set { $0 = FaultyProxy.Faults() }
        return "of \(size) for \(duration)"
    }

    private mutating func refuse() async throws -> String {
        let duration = Duration.milliseconds(time(100...1500))
        proxy.set { $0.refuses = true }
        proxy.cut()
        try await Task.sleep(for: duration)
        proxy.set { $0 = FaultyProxy.Faults() }
        return "for \(duration)"
    }

    private func freeze(_ duration: Duration) async throws -> String {
        await server.freeze()
        try await Task.sleep(for: duration)
        await server.thaw()
        return "for \(duration)"
    }

    private mutating func restart() async throws -> String {
        await server.kill()
        try await Task.sleep(for: .milliseconds(time(0...1000)))
        // An outgoing connection of another process may hold the port for a moment.
        for _ in 0..<20 {
            if (try? await server.start()) != nil { return "" }
            try await Task.sleep(for: .milliseconds(500))
        }
        throw SoakError("the server does not start again")
    }

    private mutating func burst() -> String {
        let count = time(2000...20_000)
        publisher.burst(count)
        return "of \(count) messages"
    }

    private mutating func time(_ range: ClosedRange<Int>) -> Int {
        Int.random(in: range, using: &random)
    }
}
