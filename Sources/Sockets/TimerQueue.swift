/// Actions by deadline, in a binary heap. A value without a clock.
struct TimerQueue {
    struct ID: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    struct Entry {
        let deadline: ContinuousClock.Instant
        let id: ID
    }

    private(set) var heap: [Entry] = []
    private var actions: [ID: @Sendable () -> Void] = [:]
    private var lastNumber: UInt64 = 0

    /// The earliest deadline. It may belong to a timer cancelled since, which costs one wake-up.
    var earliest: ContinuousClock.Instant? { heap.first?.deadline }

    var count: Int { actions.count }

    mutating func add(
        at deadline: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void
    ) -> ID {
        lastNumber += 1
        let id = ID(number: lastNumber)
        actions[id] = action
        heap.append(Entry(deadline: deadline, id: id))
        siftUp(heap.count - 1)
        return id
    }

    mutating func cancel(_ id: ID) {
        actions[id] = nil
        // Cancelled entries stay until their time, or until they are the greater part.
        if heap.count > 64, heap.count > actions.count * 2 { rebuild() }
    }

    /// Removes and returns the actions that are due, in the order of their deadlines.
    mutating func takeDue(_ now: ContinuousClock.Instant) -> [@Sendable () -> Void] {
        var due: [@Sendable () -> Void] = []
        while let first = heap.first, first.deadline <= now {
            removeFirst()
            if let action = actions.removeValue(forKey: first.id) { due.append(action) }
        }
        return due
    }

    private mutating func rebuild() {
        let kept = heap.filter { actions[$0.id] != nil }
        heap.removeAll(keepingCapacity: true)
        for entry in kept {
            heap.append(entry)
            siftUp(heap.count - 1)
        }
    }

    private mutating func removeFirst() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var index = 0
        while true {
            let left = 2 * index + 1
            guard left < heap.count else { return }
            let right = left + 1
            let child = right < heap.count && isBefore(right, left) ? right : left
            guard isBefore(child, index) else { return }
            heap.swapAt(child, index)
            index = child
        }
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0, isBefore(index, (index - 1) / 2) {
            heap.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Orders by deadline; equal ones keep the order in which they were added.
    private func isBefore(_ one: Int, _ other: Int) -> Bool {
        let (one, other) = (heap[one], heap[other])
        return one.deadline == other.deadline
            ? one.id.number < other.id.number : one.deadline < other.deadline
    }
}
