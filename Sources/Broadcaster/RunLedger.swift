/// The calls of `run()` under way. The last one to be cancelled disconnects; `disconnect()` ends them all.
struct RunLedger {
    typealias End = AsyncStream<Never>.Continuation

    private var ends: [Int: End] = [:]
    private var lastNumber = 0

    /// - Parameter end: finished to end the call.
    mutating func begin(_ end: End) -> Int {
        lastNumber += 1
        ends[lastNumber] = end
        return lastNumber
    }

    /// Takes a call out that has ended by itself. True if it was the last; false also where `disconnect()` has ended it.
    mutating func leave(_ number: Int) -> Bool {
        ends.removeValue(forKey: number) != nil && ends.isEmpty
    }

    mutating func takeAll() -> [End] {
        defer { ends = [:] }
        return Array(ends.values)
    }
}
