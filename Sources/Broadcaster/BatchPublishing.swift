internal import BroadcasterMultiplexing
internal import BroadcasterWire

extension Broadcast {
    /// Publishes many texts, in order, without waiting for one before the next is sent.
    ///
    /// - Parameters:
    ///   - texts: the messages.
    ///   - channel: the channel of all of them.
    ///   - retry: whether to send those again whose answers are lost; they come after the others then.
    /// - Returns: what the server says of each, in order.
    /// - Throws: `.incomplete` with the outcome of each, if any was not accepted; `.invalid` before anything is sent, if the
    ///   server would not take one of them; `.cancelled` if the task is cancelled before the call; `.notConnected` before
    ///   `connect()` or `run()` is called, and after `disconnect()`.
    @discardableResult
    @inlinable
    public func publish(
        contentsOf texts: some Sequence<String>, to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> [PublishReceipt] {
        try await publish(Array(texts), to: channel, retry)
    }

    // Not generic, so that it is compiled once and well; most callers have an array anyway.
    @usableFromInline
    func publish(
        _ texts: [String], to channel: String, _ retry: PublishRetry
    ) async throws(BroadcastError) -> [PublishReceipt] {
        try await publish(texts.map(Payload.text), to: channel, retry)
    }

    /// Publishes many texts of another type, such as the lines that `split` returns. As
    /// `publish(contentsOf:to:retry:)` for texts.
    @discardableResult
    public func publish(
        contentsOf texts: some Sequence<Substring>, to channel: String,
        retry: PublishRetry = .never
    ) async throws(BroadcastError) -> [PublishReceipt] {
        try await publish(texts.map { Payload.text(String($0)) }, to: channel, retry)
    }

    /// Publishes many messages of bytes, in order. As `publish(contentsOf:to:retry:)` for texts.
    @discardableResult
    public func publish(
        contentsOf messages: some Sequence<some Sequence<UInt8>>, to channel: String,
        retry: PublishRetry = .never
    ) async throws(BroadcastError) -> [PublishReceipt] {
        try await publish(messages.map { Payload.bytes(Array($0)) }, to: channel, retry)
    }

    private func publish(
        _ payloads: [Payload], to channel: String, _ retry: PublishRetry
    ) async throws(BroadcastError) -> [PublishReceipt] {
        for payload in payloads {
            if let refusal = backend.refusal(ofPublishing: payload, to: channel) {
                throw .invalid(refusal)
            }
        }
        if Task.isCancelled { throw .cancelled }
        let driver = try connectedDriver()
        let end = retry == .never ? nil : driver.now + publishTimeout
        var outcomes = await driver.publish(payloads, to: channel, isolation: #isolation)
        if let end {
            await repeatUnknown(payloads, &outcomes, to: channel, driver, until: end, #isolation)
        }
        var receipts: [PublishReceipt] = []
        for case .success(let receipt) in outcomes { receipts.append(PublishReceipt(receipt)) }
        guard receipts.count < payloads.count else { return receipts }
        throw .incomplete(
            outcomes.map { $0.map { PublishReceipt($0) }.mapError { BroadcastError($0) } })
    }

    /// Sends those again whose outcome is unknown.
    private func repeatUnknown(
        _ payloads: [Payload], _ outcomes: inout [Result<Receipt, PublishFailure>],
        to channel: String, _ driver: any Driver, until end: Instant,
        _ isolation: isolated (any Actor)?
    ) async {
        var unknown = outcomes.indices.filter { outcomes[$0].isUnknown }
        while !unknown.isEmpty, driver.now < end, !Task.isCancelled {
            let again = await driver.publish(
                unknown.map { payloads[$0] }, to: channel, isolation: isolation)
            var next: [Int] = []
            for (index, outcome) in zip(unknown, again) {
                if outcome.isUnknown { next.append(index) }
                // That it was refused or not sent again says nothing of the first time.
                if case .success = outcome { outcomes[index] = outcome }
            }
            unknown = next
        }
    }
}

extension Result<Receipt, PublishFailure> {
    fileprivate var isUnknown: Bool {
        if case .failure(.outcomeUnknown) = self { true } else { false }
    }
}
