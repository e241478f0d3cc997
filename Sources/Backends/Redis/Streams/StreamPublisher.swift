import BroadcasterWire

/// How much of each stream is kept.
package struct StreamRetention: Hashable, Sendable {
    /// Entries, about: Redis removes whole nodes of up to 100. nil for no limit.
    package let length: Int?
    package let age: Duration?

    package init(length: Int? = 10_000, age: Duration? = nil) {
        self.length = length
        self.age = age
    }

    /// Takes `max_length` and `max_age` from a URL.
    init(from options: inout URLOptions) throws(ServerURLError) {
        // 0 is no limit: for those who trim by themselves.
        let length = try options.takeInteger("max_length", in: 0...Int(Int32.max)) ?? 10_000
        let age = try options.takeDuration("max_age")
        self.init(length: length == 0 ? nil : length, age: age)
    }
}

/// Writes messages to streams, and sees to it that these do not grow for ever.
struct StreamPublisher: Sendable {
    private let retention: StreamRetention
    /// The last time at which each channel was trimmed by age.
    private var trimmed: [String: Instant] = [:]

    /// XADD takes one of the two bounds; the other takes a command, which once a second is enough.
    private static let trimInterval: Duration = .seconds(1)
    private static let trimmedLimit = 10_000

    init(_ retention: StreamRetention) {
        self.retention = retention
    }

    /// Writes an XADD for each, as Python's `broadcaster` does, with the bound on the length.
    func append(_ publications: [Publication], to bytes: inout [UInt8]) {
        var head: [UInt8] = []
        var channel = ""
        for publication in publications {
            if head.isEmpty || !publication.channel.utf8.span.isEqual(to: channel.utf8.span) {
                channel = publication.channel
                head = self.head(channel)
            }
            bytes.append(contentsOf: head)
            RESPEncoder.bulkString(publication.payload, to: &bytes)
        }
    }

    private func head(_ channel: String) -> [UInt8] {
        var words = ["XADD", channel]
        if let length = retention.length { words += ["MAXLEN", "~", String(length)] }
        words += ["*", StreamEntry.field]
        var bytes: [UInt8] = []
        RESPEncoder.command(words, andMore: 1, to: &bytes)
        return bytes
    }

    /// The command that removes what is too old, if it is time for it.
    ///
    /// - Parameter position: of a message that was just published, whose id has the server's time.
    mutating func trim(_ channel: String, after position: Position, at now: Instant) -> [String]? {
        guard let age = retention.age, let time = position.pair?.major else { return nil }
        if let last = trimmed[channel], now - last < StreamPublisher.trimInterval { return nil }
        if trimmed.count >= StreamPublisher.trimmedLimit { trimmed = [:] }
        trimmed[channel] = now
        let oldest = Int(clamping: time) - Int(age / .milliseconds(1))
        return ["XTRIM", StreamRead.key, "MINID", "~", String(max(oldest, 0))]
    }
}
