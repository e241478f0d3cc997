import BroadcasterWire

/// Puts the frames of a message together: a method, a header, and as many body frames as its size asks for. On one
/// channel nothing else comes between (§4.2.6).
struct ContentAssembler: Sendable {
    /// A message that is there.
    struct Content: Sendable {
        let method: BasicMethod
        let header: ContentHeader
        /// nil where it was too long, and passed over.
        let body: [UInt8]?
    }

    private enum State: Sendable {
        case idle
        case awaitsHeader(BasicMethod)
        case awaitsBody(BasicMethod, ContentHeader, left: Int)
    }

    /// The longest body that is kept; of a longer one the bytes are counted.
    private let limit: Int
    private var state = State.idle
    /// Beside the state, so that it is added to without a copy.
    private var body: [UInt8] = []

    init(limit: Int) {
        self.limit = limit
    }

    var isIdle: Bool { if case .idle = state { true } else { false } }

    mutating func begin(_ method: BasicMethod) throws(ProtocolError) {
        guard isIdle else { throw unexpected("method \(AMQPMethod.basic(method).id)") }
        state = .awaitsHeader(method)
    }

    /// Takes the header's frame. Returns the message if it has no body.
    mutating func header(_ payload: ArraySlice<UInt8>) throws(ProtocolError) -> Content? {
        guard case .awaitsHeader(let method) = state else { throw unexpected("a header") }
        let header = try ContentHeader(payload)
        state = .awaitsBody(method, header, left: header.bodySize)
        return finish()
    }

    /// Takes a piece of the body. Returns the message with the last one.
    mutating func body(_ payload: ArraySlice<UInt8>) throws(ProtocolError) -> Content? {
        guard case .awaitsBody(let method, let header, let left) = state else {
            throw unexpected("a piece of a body")
        }
        guard payload.count <= left, !payload.isEmpty else {
            throw ProtocolError(
                reading: "AMQP body", expected: "1 to \(left) bytes", found: "\(payload.count)")
        }
        if header.bodySize <= limit { body += payload }
        state = .awaitsBody(method, header, left: left - payload.count)
        return finish()
    }

    private mutating func finish() -> Content? {
        guard case .awaitsBody(let method, let header, left: 0) = state else { return nil }
        state = .idle
        defer { body = [] }
        return Content(
            method: method, header: header, body: header.bodySize <= limit ? body : nil)
    }

    /// - Parameter found: what came on the channel.
    func unexpected(_ found: String) -> ProtocolError {
        let expected =
            switch state {
            case .idle: "a method"
            case .awaitsHeader: "the header of a message"
            case .awaitsBody(_, _, let left): "\(left) bytes more of a message"
            }
        return ProtocolError(reading: "AMQP channel", expected: expected, found: found)
    }
}
