import BroadcasterSockets
import BroadcasterTLS
import BroadcasterWire

/// One lane's stream with the bytes that wait on either side of it. Belongs to the runner's actor.
///
/// It knows neither sockets nor protocols. A lane that is secured has a layer between, which encrypts what is written
/// and decrypts what is read: `received` and what is appended stay plaintext.
final class Transport {
    let stream: any ByteStream
    var received = ReceiveBuffer()
    private var unsent = SendQueue()
    private var layer: SecureLayer?
    private(set) var peer: PeerInfo
    /// False while the lane is being secured: nothing may come or go but the handshake.
    private(set) var isOpen = true
    /// Ends the time for that.
    private var cancelWaiting: (@Sendable () -> Void)?
    private var isWatchingWritable = false
    private var readSize = Transport.readSizes.lowerBound

    /// The bytes that a read takes at most: few for quiet channels, and for busy ones enough to make a system call cheap
    /// beside the messages that it brings.
    private static let readSizes = 16_384...262_144

    init(_ stream: any ByteStream, to peer: PeerInfo) {
        self.stream = stream
        self.peer = peer
    }

    /// The bytes that wait to be sent.
    var unsentCount: Int { unsent.count + (layer?.unsentCount ?? 0) }

    // MARK: Security

    /// Closes the lane to the session, until `opens`.
    ///
    /// - Parameter cancel: ends the time for that.
    func waits(cancel: @escaping @Sendable () -> Void) {
        isOpen = false
        cancelWaiting = cancel
    }

    /// Begins to encrypt, after what waits to be sent, and writes the first of it.
    func secure(by client: TLSClient) throws(LaneFailure) {
        layer = try SecureLayer(client, after: unsent.removeAll())
        try flush()
    }

    /// Opens the lane once its handshake is done. False if it is not, or if that has been told.
    func opens() -> Bool {
        guard !isOpen, let security = layer?.security else { return false }
        peer.security = security
        stopWaiting()
        return true
    }

    private func stopWaiting() {
        isOpen = true
        cancelWaiting.take()?()
    }

    /// There is something to read that the stream will not report.
    var hasMore: Bool { layer?.hasMore ?? false }

    // MARK: Reading

    /// Reads once. The bytes are at the end of `received`.
    func read() throws(LaneFailure) -> Socket.Reading {
        if let layer { return try read(through: layer) }
        let size = roomForRead(surplus: 0)
        let stream = stream
        do throws(SocketError) {
            let reading = try received.fill { (bytes: inout [UInt8]) throws(SocketError) in
                try stream.read(to: &bytes, limit: size)
            }
            if reading == .bytes(size) { growReads() }
            return reading
        } catch {
            throw LaneFailure(error)
        }
    }

    private func read(through layer: SecureLayer) throws(LaneFailure) -> Socket.Reading {
        let size = roomForRead(surplus: SecureLayer.longestRecord)
        let stream = stream
        do throws(LaneFailure) {
            let reading = try received.fill { (bytes: inout [UInt8]) throws(LaneFailure) in
                try layer.read(from: stream, to: &bytes, limit: size)
            }
            if layer.isFull(size) { growReads() }
            // Reading writes too: steps of the handshake, and what waited for its end; new keys.
            try flush()
            return reading
        } catch {
            try? layer.send(on: stream)
            throw error
        }
    }

    private func roomForRead(surplus: Int) -> Int {
        min(received.makeRoom(limit: readSize, surplus: surplus), Transport.readSizes.upperBound)
    }

    private func growReads() {
        readSize = min(readSize * 2, Transport.readSizes.upperBound)
    }

    // MARK: Writing

    func append(_ bytes: inout [UInt8]) {
        unsent.append(&bytes)
    }

    /// Writes until all is sent or the stream is full; then the stream says when to go on.
    func flush() throws(LaneFailure) {
        if let layer { try encrypt(into: layer) }
        do throws(SocketError) {
            if layer == nil { try writePlain() }
            // What waits for the handshake waits for bytes to read.
            let mustWatch = (layer?.unsentCount ?? unsent.count) > 0
            if mustWatch != isWatchingWritable {
                try stream.watchWritable(mustWatch)
                isWatchingWritable = mustWatch
            }
        } catch {
            throw LaneFailure(error)
        }
    }

    private func writePlain() throws(SocketError) {
        let stream = stream
        while try unsent.take({ (bytes, start) throws(SocketError) in
            try stream.write(bytes, from: start)
        }) > 0 {}
    }

    /// Encrypts a piece when the last one has gone: memory never pushes back.
    private func encrypt(into layer: SecureLayer) throws(LaneFailure) {
        var count = 0
        repeat {
            do throws(SocketError) {
                try layer.send(on: stream)
            } catch {
                throw LaneFailure(error)
            }
            guard layer.unsentCount == 0 else { return }
            count = try unsent.take { (bytes, start) throws(LaneFailure) in
                try layer.encrypt(bytes, from: start)
            }
        } while count > 0
    }

    /// Says that nothing more comes, in the layer's words, where there is one.
    func finishWriting() {
        if let layer {
            try? flush()
            layer.close()
            try? layer.send(on: stream)
        }
        stream.finishWriting()
    }

    /// Closes the stream at once.
    func close() {
        stopWaiting()
        stream.close()
    }

    /// A server that wants TLS ends a connection without, and says nothing.
    func explained(_ failure: LaneFailure) -> LaneFailure {
        guard case .lost(let text) = failure, layer == nil, case .tcp = peer.endpoint,
            received.isEmpty, received.streamOffset(of: received.start) == 0
        else { return failure }
        return .lost("\(text), before it sent anything: perhaps it wants TLS")
    }
}

extension LaneFailure {
    init(_ error: SocketError) {
        self = error.isSilence ? .silent(error.description) : .lost(error.description)
    }
}
