internal import BroadcasterMultiplexing
package import BroadcasterSockets
internal import Synchronization

/// A stream to a server that a test plays: what the client writes is kept, and the test says what comes.
package final class MemoryStream: ByteStream {
    private struct State {
        var handler: (@Sendable (Readiness) -> Void)?
        var incoming: [UInt8] = []
        var written: [UInt8] = []
        var end: String?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let host: ManualHost

    package init(on host: ManualHost) {
        self.host = host
    }

    // MARK: The test's side

    /// Lets these bytes come from the server.
    package func receive(_ bytes: some Sequence<UInt8>) {
        state.withLock { $0.incoming += bytes }
        notify(.readable)
    }

    /// Ends the connection; reading fails with `reason`.
    package func lose(_ reason: String) {
        state.withLock { $0.end = reason }
        notify([.readable, .failed])
    }

    /// Takes the bytes that the client has written since the last call.
    package func takeWritten() -> [UInt8] {
        state.withLock { state in
            defer { state.written = [] }
            return state.written
        }
    }

    /// The client has closed the stream.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    private func notify(_ readiness: Readiness) {
        host.execute { [weak self] in
            let handler = self?.state.withLock { $0.handler }
            handler?(readiness)
        }
    }

    // MARK: The runner's side

    package func watch(_ handler: @escaping @Sendable (Readiness) -> Void) throws(SocketError) {
        let isReady = state.withLock { state in
            state.handler = handler
            return !state.incoming.isEmpty || state.end != nil
        }
        if isReady { notify(.readable) }
    }

    package func watchWritable(_ isWatched: Bool) throws(SocketError) {}

    package func read(
        to bytes: inout [UInt8], limit: Int
    ) throws(SocketError) -> Socket.Reading {
        let (piece, end) = state.withLock { state in
            let piece = Array(state.incoming.prefix(limit))
            state.incoming.removeFirst(piece.count)
            return (piece, state.end)
        }
        bytes += piece
        if !piece.isEmpty { return .bytes(piece.count) }
        if let end { throw SocketError(end) }
        return .wouldBlock
    }

    package func write(_ bytes: [UInt8], from start: Int) throws(SocketError) -> Int {
        let end = state.withLock { state in
            state.written += bytes[start...]
            return state.end
        }
        if let end { throw SocketError(end) }
        return bytes.count - start
    }

    package func finishWriting() {}

    package func close() {
        state.withLock { state in
            state.handler = nil
            state.isClosed = true
        }
    }
}
