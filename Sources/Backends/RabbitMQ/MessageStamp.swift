/// The publisher of a message, and the number that it gave the message among those of its channel.
///
/// What a full queue of RabbitMQ drops is invisible in the protocol. So our publishers number their messages, and a hole
/// in the numbers is a gap. Messages of other clients have no stamp, and nothing is known of their holes.
package struct MessageStamp: Hashable, Sendable {
    package let publisher: [UInt8]
    package let number: Int64

    /// The names of the two header fields.
    package static let publisherName = "broadcaster-publisher"
    package static let numberName = "broadcaster-number"
    /// Bytes of a publisher's name. A longer one is not ours.
    static let longestPublisher = 64

    package init(publisher: [UInt8], number: Int64) {
        self.publisher = publisher
        self.number = number
    }

    package init?(_ headers: AMQPTable) {
        guard case .text(let publisher)? = headers[MessageStamp.publisherName],
            publisher.count <= MessageStamp.longestPublisher,
            let number = headers[MessageStamp.numberName]?.integer
        else { return nil }
        (self.publisher, self.number) = (publisher, number)
    }
}
