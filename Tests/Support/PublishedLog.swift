/// The published messages by the publisher's log: for each channel the numbers 1, 2, 3 and so on.
package struct PublishedLog: Sendable {
    package struct Entry: Sendable {
        package let sentAt: Int
        /// The position among all channels, in the order in which the server took them.
        package let position: UInt32
        package let isAccepted: Bool
    }

    package struct Channel: Sendable {
        /// Number n stands at n − 1.
        fileprivate(set) package var entries: [Entry] = []
        fileprivate(set) package var final: Int?

        package subscript(number: Int) -> Entry? {
            entries.indices.contains(number - 1) ? entries[number - 1] : nil
        }
    }

    private(set) package var channels: [Substring: Channel] = [:]
    /// The faults of the log itself.
    private(set) package var mistakes: [String] = []
    private var position: UInt32 = 0

    package init(_ lines: some Sequence<Substring>) {
        for line in lines {
            switch PublishedLine(line) {
            case .accepted(let channel, let number, let moment):
                add(channel, number, moment, isAccepted: true)
            case .unknown(let channel, let number, let moment):
                add(channel, number, moment, isAccepted: false)
            case .final(let channel, let number): channels[channel]?.final = number
            case nil: mistakes.append("published log: not a line of it: \(line)")
            }
        }
    }

    private mutating func add(
        _ channel: Substring, _ number: Int, _ moment: Int, isAccepted: Bool
    ) {
        position += 1
        let entry = Entry(sentAt: moment, position: position, isAccepted: isAccepted)
        let last = channels[channel]?.entries.count ?? 0
        if number != last + 1 {
            mistakes.append("published log: \(channel) \(number) follows \(last)")
        }
        // The key must not keep the text of the whole file.
        if last == 0 { channels[Substring(String(channel))] = Channel() }
        channels[channel]?.entries.append(entry)
    }
}
