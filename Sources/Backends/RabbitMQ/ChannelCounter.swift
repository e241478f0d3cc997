/// Numbers the messages of this publisher, on each channel from 1 on. A pure value.
struct ChannelCounter: Sendable {
    private let name: String
    /// Counts how often the numbers have begun anew.
    private var epoch = 0
    private var numbers: [String: Int64] = [:]

    /// Channels are anybody's to invent: beyond this many the publisher takes another name, and begins anew.
    private static let limit = 16_384

    /// - Parameter name: no other publisher's.
    init(name: String) {
        self.name = name
    }

    /// The publisher, as its messages name it. It changes with `next`.
    var publisher: String { epoch == 0 ? name : "\(name)-\(epoch)" }

    /// The number of the next message on `channel`.
    mutating func next(on channel: String) -> Int64 {
        if let number = numbers[channel] {
            numbers[channel] = number + 1
            return number + 1
        }
        if numbers.count >= ChannelCounter.limit {
            numbers = [:]
            epoch += 1
        }
        numbers[channel] = 1
        return 1
    }
}
