internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// The server's answer to a message that it has accepted.
public struct PublishReceipt: Hashable, Sendable {
    /// The number of the server's clients that received it, where the server says so. All subscribers of one `Broadcast` are
    /// one client.
    public let receivers: Int?
    /// The message's place in its channel's history, where the server keeps one.
    public let position: MessagePosition?

    init(_ receipt: Receipt) {
        receivers = receipt.receivers
        position = receipt.position.map { MessagePosition($0) }
    }
}

extension Broadcast {
    /// Publishes a text. Returns when the server has accepted it.
    ///
    /// - Parameter retry: whether to send again when the answer is lost.
    /// - Returns: what the server says of it: how many received it, and its position, where the server keeps a history.
    /// - Throws: `.disconnected` if nothing was sent before `publishTimeout`; `.outcomeUnknown` if it was sent and
    ///   the answer did not come; `.temporarilyRefused` or `.refused` if the server took it and does not publish it;
    ///   `.invalid` before anything is sent, if the server would not take it.
    @discardableResult
    public func publish(
        _ text: String, to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> PublishReceipt {
        try await publish(.text(text), to: channel, retry)
    }

    /// Publishes bytes. As `publish(_:to:)` for text.
    @discardableResult
    public func publish(
        _ bytes: [UInt8], to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> PublishReceipt {
        try await publish(.bytes(bytes), to: channel, retry)
    }

    private func publish(
        _ payload: Payload, to channel: String, _ retry: PublishRetry
    ) async throws(BroadcastError) -> PublishReceipt {
        if let refusal = backend.refusal(ofPublishing: payload, to: channel) {
            throw .invalid(refusal)
        }
        let driver = try connectedDriver()
        let end = retry == .never ? nil : driver.now + publishTimeout
        var unknown: String?
        while true {
            switch await driver.publish(payload, to: channel, isolation: #isolation) {
            case .success(let receipt): return PublishReceipt(receipt)
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
