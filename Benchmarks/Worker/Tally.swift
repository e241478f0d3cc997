import Synchronization

/// Counts messages that several tasks receive.
final class Tally: Sendable {
    private let left: Atomic<Int>
    private let total = Atomic<Int>(0)

    init(expecting count: Int) {
        left = Atomic(count)
    }

    /// Counts a message. Returns true if it was the last one.
    func add(_ size: Int) -> Bool {
        total.add(size, ordering: .relaxed)
        return left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0
    }

    var bytes: Int { total.load(ordering: .acquiring) }
}
