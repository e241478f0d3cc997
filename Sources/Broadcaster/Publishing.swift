internal import BroadcasterMultiplexing
internal import BroadcasterWire

extension Broadcast {
    /// Publishes a text. Returns when the server has accepted it.
    ///
    /// - Parameter retry: whether to send again when the answer is lost.
    /// - Returns: how many of the server's clients received it, where the server says so. All subscribers of
    ///   one `Broadcast` are one client.
    /// - Throws: `.disconnected` if nothing was sent before `publishTimeout`; `.outcomeUnknown` if it was sent and
    ///   the answer did not come; `.temporarilyRefused` or `.refused` if the server took it and does not publish it;
    ///   `.invalid` before anything is sent, if the server would not take it.
    @discardableResult
    public func publish(
        _ text: String, to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> Int? {
        try await publish(.text(text), to: channel, retry)
    }

    /// Publishes bytes. As `publish(_:to:)` for text.
    @discardableResult
    public func publish(
        _ bytes: [UInt8], to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> Int? {
        try await publish(.bytes(bytes), to: channel, retry)
    }

    private func publish(
        _ payload: Payload, to channel: String, _ retry: PublishRetry
    ) async throws(BroadcastError) -> Int? {
        if let refusal = backend.refusal(ofPublishing: payload, to: channel) {
            throw .invalid(refusal)
        }
        let driver = try connectedDriver()
        let end = retry == .never ? nil : driver.now + publishTimeout
        var unknown: String?
        while true {
            switch await driver.publish(payload, to: channel, isolation: #isolation) {
            case .success(let receivers): return receivers
            case .failure(.outcomeUnknown(let reason)):
                unknown = reason
                guard let end, driver.now < end, !Task.isCancelled else {
                    throw .outcomeUnknown(reason)
                }
            case .failure(let failure):
                // That it was refused or not sent again says nothing of the first time.
                throw unknown.map { .outcomeUnknown($0) } ?? BroadcastError(failure)
            }
        }
    }
}
