import BroadcasterWire
import Synchronization

/// The sentinels that are known: those of the URL, and those that they have named since. All sessions of a backend share
/// it, so that what one has learnt helps the next: the sentinels of the URL may all have been replaced by then.
final class SentinelDirectory: Sendable {
    private let known: Mutex<[Endpoint]>

    /// Quorums have 3 or 5 sentinels; what a hostile one adds is not kept.
    private static let mostKnown = 32

    init(_ sentinels: [Endpoint]) {
        known = Mutex(sentinels)
    }

    /// Those of the URL first.
    var all: [Endpoint] { known.withLock { $0 } }

    func contains(_ endpoint: Endpoint) -> Bool {
        known.withLock { $0.contains(endpoint) }
    }

    func learn(_ others: [Endpoint]) {
        known.withLock { known in
            for sentinel in others
            where known.count < SentinelDirectory.mostKnown && !known.contains(sentinel) {
                known.append(sentinel)
            }
        }
    }
}
