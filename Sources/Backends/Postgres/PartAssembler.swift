import BroadcasterWire

/// Puts the parts of a message together again.
///
/// All notifications of one transaction stand together in the server's queue (async.c), so the parts of a message
/// follow each other and at most one message is open. Bounded by the longest message.
struct PartAssembler: Sendable {
    enum Outcome: Hashable {
        case incomplete
        case message([UInt8])
        /// A message whose rest is missing, or that is too long.
        case lost
    }

    private struct Open {
        let process: Int32
        let id: UInt64
        let channel: [UInt8]
        let count: Int
        var next: Int
        var text: [UInt8]
    }

    private let limit: Int
    private var open: Open?
    /// The message last reported as lost, whose rest may still come.
    private var lost: (process: Int32, id: UInt64)?

    init(limit: Int) {
        // Base64 makes four bytes of three.
        self.limit = limit / 3 * 4 + 1024
    }

    /// True if no message is open.
    var isIdle: Bool { open == nil }

    /// Returns the channel of the open message, if `channel` or `process` is another's: its rest will not come.
    mutating func interrupted(by process: Int32, _ channel: [UInt8]) -> [UInt8]? {
        guard let current = open, current.process != process || current.channel != channel else {
            return nil
        }
        lose(current.process, current.id)
        return current.channel
    }

    /// Abandons the open message: a whole message came where a part was due.
    mutating func abandon() -> Bool {
        guard let current = open else { return false }
        lose(current.process, current.id)
        return true
    }

    private mutating func lose(_ process: Int32, _ id: UInt64) {
        open = nil
        lost = (process, id)
    }

    mutating func add(
        process: Int32, channel: [UInt8], id: UInt64, number: Int, count: Int,
        piece: ArraySlice<UInt8>
    ) -> Outcome {
        if !isNext(id, number, count) {
            let before = open
            if let before { lose(before.process, before.id) }
            guard number == 1 else {
                // The rest of a message that was reported as lost is not reported again.
                let isReported = lost.map { $0.process == process && $0.id == id } ?? false
                lose(process, id)
                return isReported && before == nil ? .incomplete : .lost
            }
            open = Open(
                process: process, id: id, channel: channel, count: count, next: 1, text: [])
        }
        // In place: a copy for each part would be the square of the message's length.
        guard let size = open?.text.count, size + piece.count <= limit else {
            lose(process, id)
            return .lost
        }
        open?.text += piece
        open?.next = number + 1
        guard number == count, let text = open.take()?.text else { return .incomplete }
        guard text.starts(with: PayloadCodec.mark) else { return .message(text) }
        if case .whole(let bytes) = PayloadCodec.decode(text) { return .message(bytes) }
        return .lost
    }

    /// True for the part that is due of the message that is open.
    private func isNext(_ id: UInt64, _ number: Int, _ count: Int) -> Bool {
        guard let open else { return false }
        return open.id == id && open.next == number && open.count == count
    }
}
