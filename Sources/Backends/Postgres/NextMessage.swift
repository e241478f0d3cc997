import BroadcasterWire

extension ServerMessage {
    /// Takes the next whole message out of the buffer; nil where more bytes are needed.
    ///
    /// - Parameters:
    ///   - received: the buffer's bytes.
    ///   - isFirst: whether nothing has come yet, so that it may be an error from before the protocol.
    ///   - limit: the longest frame.
    static func next(
        in received: [UInt8], _ buffer: inout ReceiveBuffer, isFirst: Bool,
        limit: Int = PostgresFrame.limit
    ) throws(ProtocolError) -> ServerMessage? {
        if isFirst {
            switch PostgresFrame.plainError(in: received.span, at: buffer.start) {
            case .none: break
            case .incomplete: return nil
            case .text(let range, let end):
                buffer.consume(upTo: end)
                let text = String(decoding: received[range], as: UTF8.self)
                return .errorResponse(ServerError(beforeProtocol: text))
            }
        }
        guard
            let frame = try PostgresFrame.next(in: received.span, at: buffer.start, limit: limit)
        else { return nil }
        buffer.consume(upTo: frame.body.upperBound)
        return try ServerMessage(type: frame.type, body: received[frame.body])
    }
}
