internal import BroadcasterMultiplexing
internal import BroadcasterWire

extension Broadcast {
    /// Publishes many texts, in order, without waiting for one before the next is sent.
    ///
    /// - Returns: what the server says of each, in order.
    /// - Throws: `.incomplete` with the outcome of each, if any was not accepted.
    @discardableResult
    @inlinable
    public func publish(
        contentsOf texts: some Sequence<String>, to channel: String
    ) async throws(BroadcastError) -> [PublishReceipt] {
        try await publish(Array(texts), to: channel)
    }

    // Not generic, so that it is compiled once and well; most callers have an array anyway.
    @usableFromInline
    func publish(
        _ texts: [String], to channel: String
    ) async throws(BroadcastError) -> [PublishReceipt] {
        try await publish(texts.map(Payload.text), to: channel)
    }

    /// Publishes many messages of bytes, in order. As `publish(contentsOf:to:)` for texts.
    @discardableResult
    public func publish(
        contentsOf messages: some Sequence<[UInt8]>, to channel: String
    ) async throws(BroadcastError) -> [PublishReceipt] {
        try await publish(messages.map(Payload.bytes), to: channel)
    }

    private func publish(
        _ payloads: [Payload], to channel: String
    ) async throws(BroadcastError) -> [PublishReceipt] {
        for payload in payloads {
            if let refusal = backend.refusal(ofPublishing: payload, to: channel) {
                throw .invalid(refusal)
            }
        }
        let driver = try connectedDriver()
        var receipts: [PublishReceipt] = []
        let outcomes = await driver.publish(payloads, to: channel, isolation: #isolation)
        for case .success(let receipt) in outcomes { receipts.append(PublishReceipt(receipt)) }
        guard receipts.count < payloads.count else { return receipts }
        throw .incomplete(
            outcomes.map { $0.map { PublishReceipt($0) }.mapError { BroadcastError($0) } })
    }
}
