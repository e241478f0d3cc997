internal import BroadcasterMultiplexing
internal import BroadcasterWire

/// The server's answer to a message that it has accepted.
public struct PublishReceipt: Hashable, Sendable {
    /// The number of the server's clients that received it, where the server says so. All subscribers of one `Broadcast` are
    /// one client.
    public var receivers: Int? { receipt.receivers }
    /// The message's place in its channel's history, where the server keeps one.
    public var position: MessagePosition? { receipt.position.map { MessagePosition($0) } }

    /// The core's, which is small where there is no position.
    private let receipt: Receipt

    /// An answer of the caller's invention, for tests.
    public init(receivers: Int? = nil, position: MessagePosition? = nil) {
        receipt = Receipt(receivers: receivers, position: position?.position)
    }

    init(_ receipt: Receipt) {
        self.receipt = receipt
    }
}

extension Broadcast {
    /// Publishes a text. Returns when the server has accepted it.
    ///
    /// - Parameters:
    ///   - text: the message.
    ///   - channel: its channel.
    ///   - retry: whether to send again when the answer is lost.
    /// - Returns: what the server says of it: how many received it, and its position, where the server keeps a history.
    /// - Throws: `.disconnected` if nothing was sent before `publishTimeout`, also where the first connection did not come
    ///   or failed, with its reason; `.outcomeUnknown` if it was sent and the answer did not come; `.temporarilyRefused`,
    ///   `.permissionDenied` or `.refused` if the server took it and does not publish it; `.invalid` before anything is
    ///   sent, if the server would not take it; `.cancelled` if the task is cancelled before it is sent; `.notConnected`
    ///   before `connect()` or `run()` is called, and after `disconnect()`.
    @discardableResult
    public func publish(
        _ text: String, to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> PublishReceipt {
        try await publish(.text(text), to: channel, retry)
    }

    /// Publishes a text of another type, such as a `Substring`. As `publish(_:to:retry:)` for a `String`.
    @discardableResult
    public func publish(
        _ text: some StringProtocol, to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> PublishReceipt {
        try await publish(.text(String(text)), to: channel, retry)
    }

    /// Publishes bytes. As `publish(_:to:retry:)` for text.
    @discardableResult
    public func publish(
        _ bytes: [UInt8], to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> PublishReceipt {
        try await publish(.bytes(bytes), to: channel, retry)
    }

    /// Publishes bytes from any sequence of them: an `ArraySlice`, Foundation's `Data`, a view of SwiftNIO's `ByteBuffer`. As
    /// `publish(_:to:retry:)` for text.
    @discardableResult
    public func publish(
        _ bytes: some Sequence<UInt8>, to channel: String, retry: PublishRetry = .never
    ) async throws(BroadcastError) -> PublishReceipt {
        try await publish(.bytes(Array(bytes)), to: channel, retry)
    }

    private func publish(
        _ payload: Payload, to channel: String, _ retry: PublishRetry
    ) async throws(BroadcastError) -> PublishReceipt {
        if let refusal = backend.refusal(ofPublishing: payload, to: channel) {
            throw .invalid(refusal)
        }
        if Task.isCancelled { throw .cancelled }
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
