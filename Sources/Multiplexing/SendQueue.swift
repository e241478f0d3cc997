import BroadcasterWire

/// The bytes that wait for a stream, in pieces, so that a large message is not copied again while others wait before it.
package struct SendQueue {
    /// What is being sent, and how much of it is.
    private var current: [UInt8] = []
    private var taken = 0
    private var others = Queue<[UInt8]>()
    /// Small pieces, behind all others.
    private var gathered: [UInt8] = []
    /// The bytes that wait.
    package private(set) var count = 0

    package init() {}

    /// The bytes from which on a piece is cheaper to keep than to copy: beside them a system call of its own costs little.
    private static let large = 1 << 15
    /// The largest capacity that an empty piece keeps: one that grew for a huge message gives its memory back.
    private static let keptCapacity = 1 << 20

    /// Takes all of `bytes`, and leaves it empty.
    package mutating func append(_ bytes: inout [UInt8]) {
        count += bytes.count
        if current.isEmpty {
            // Both keep their space: the next turn writes into the other's.
            swap(&current, &bytes)
        } else if bytes.count >= SendQueue.large {
            endGathering()
            others.append(bytes)
            bytes = []
        } else if others.isEmpty, gathered.isEmpty, current.count < SendQueue.large {
            current.append(contentsOf: bytes)
            bytes.removeAll(keepingCapacity: true)
        } else {
            gathered.append(contentsOf: bytes)
            bytes.removeAll(keepingCapacity: true)
            if gathered.count >= SendQueue.large { endGathering() }
        }
    }

    private mutating func endGathering() {
        if gathered.isEmpty { return }
        others.append(gathered)
        gathered = []
    }

    /// Gives `body` the next piece and the place in it from which it is to be sent. The result is what `body` returns: the
    /// bytes that it took.
    package mutating func take<Failure: Error>(
        _ body: ([UInt8], Int) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        guard count > 0 else { return 0 }
        let taking = try body(current, taken)
        taken += taking
        count -= taking
        if taken == current.count { goOn() }
        return taking
    }

    private mutating func goOn() {
        taken = 0
        endGathering()
        if let next = others.removeFirst() {
            current = next
        } else {
            current.removeAll(keepingCapacity: current.capacity <= SendQueue.keptCapacity)
        }
    }

    /// Takes out all that waits.
    package mutating func removeAll() -> [UInt8] {
        var bytes = Array(current[taken...])
        while let next = others.removeFirst() { bytes += next }
        bytes += gathered
        self = SendQueue()
        return bytes
    }
}
