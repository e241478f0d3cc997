package import BroadcasterWire

/// A message taken from a mailbox: a view into the block that it came in.
package struct DeliveredMessage: Sendable {
    private let block: MessageBlock
    private let run: Int32
    private let length: Int32
    private let start: Int

    init(block: MessageBlock, run: Int32, range: Range<Int>) {
        self.block = block
        self.run = run
        start = range.lowerBound
        length = Int32(truncatingIfNeeded: range.count)
    }

    /// A message by itself, in a block of its own.
    package init(_ payload: Payload, from origin: Origin, at moment: Instant) {
        let block = MessageBlock(payload, from: origin, at: moment)
        self.init(block: block, run: 0, range: block.message(at: 0))
    }

    package var origin: Origin { block.origin(ofRun: Int(run)) }
    package var bytes: ArraySlice<UInt8> { block.storage[start..<start + count] }
    package var count: Int { Int(length) }
    /// The time at which its block was read.
    package var receivedAt: Instant { block.receivedAt }
    /// The place in the channel's history, where the backend keeps one.
    package var position: Position? { block.position(ofRun: Int(run), messageAt: start) }
}
