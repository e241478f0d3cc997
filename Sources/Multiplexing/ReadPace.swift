/// Decides whether the next look at the streams may wait for more to come.
///
/// Small messages cost less in larger reads, which wake their subscribers less often. Large ones gain nothing by that,
/// and a delay would be most of the time that they take.
package enum ReadPace {
    /// Bytes of a read that is one of a stream of them.
    private static let muchAtOnce = 16_384
    /// Bytes of a message, with its frame, that costs less than the waking of its subscriber.
    private static let smallMessage = 2048

    /// - Parameters:
    ///   - bytes: what a read has brought.
    ///   - messages: the messages, and the answers to messages, that were in it.
    package static func gathers(bytes: Int, messages: Int) -> Bool {
        bytes >= muchAtOnce && bytes < messages * smallMessage
    }
}
