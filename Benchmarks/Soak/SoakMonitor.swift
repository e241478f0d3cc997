import Broadcaster
import Synchronization

/// Prints the soak's state every 5 seconds, and counts the lost connections.
final class SoakMonitor: Sendable {
    private let broadcast: Broadcast
    private let audience: Audience
    private let publisher: IndependentPublisher
    private let name: String
    private let lossCount = Mutex(0)
    private let memory = Mutex(MemoryHistory())

    init(
        _ broadcast: Broadcast, _ audience: Audience, _ publisher: IndependentPublisher,
        name: String
    ) {
        self.broadcast = broadcast
        self.audience = audience
        self.publisher = publisher
        self.name = name
    }

    /// The number of lost connections so far.
    var losses: Int { lossCount.withLock { $0 } }

    var isReady: Bool {
        if case .ready = broadcast.status { true } else { false }
    }

    var growth: String? { memory.withLock { $0.growth } }

    func run() async {
        async let counting: Void = countLosses()
        let start = ContinuousClock.now
        while (try? await Task.sleep(for: .seconds(5))) != nil {
            let usage = ProcessUsage.now
            memory.withLock { $0.add(usage.memory) }
            let time = (ContinuousClock.now - start).tenths
            Console.say("\(name)  \(time) s  \(counts), \(show(usage))")
        }
        await counting
    }

    private func countLosses() async {
        for await status in broadcast.statuses {
            if case .down = status { lossCount.withLock { $0 += 1 } }
        }
    }

    private var counts: String {
        let all = audience.subscribers.map(\.current)
        let messages = all.reduce(0) { $0 + $1.messages }
        var gaps: [String: Int] = [:]
        for subscriber in all { gaps.merge(subscriber.gaps, uniquingKeysWith: +) }
        return
            "\(publisher.counts.accepted) published, \(messages) messages, \(gaps.listing), "
            + "\(broadcast.statistics.reconnects) reconnects, \(audience.visitCount) visits"
    }

    private func show(_ usage: ProcessUsage) -> String {
        "\(usage.memory) kB, \(usage.descriptors) descriptors"
    }
}

extension [String: Int] {
    /// Gaps by reason, such as `gaps: 3 overflow, 2 reconnected`.
    var listing: String {
        let parts = sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        return parts.isEmpty ? "no gaps" : "gaps: " + parts.joined(separator: ", ")
    }
}
