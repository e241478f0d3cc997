import BroadcasterSockets
import BroadcasterTLS
import BroadcasterWire

/// The encryption of one lane, between its transport and its stream: the engine with the ciphertext that waits on either
/// side of it. Belongs to the runner's actor.
final class SecureLayer {
    private let engine: TLSEngine
    private var incoming: [UInt8] = []
    private var outgoing: [UInt8]
    /// The bytes of `outgoing` that the stream has taken.
    private var taken = 0
    /// Known when the handshake is done.
    private(set) var security: LaneSecurity?
    /// There is something to read that the stream no longer has, and will not report.
    private(set) var hasMore = false

    /// Begins the handshake.
    ///
    /// - Parameter rest: what is to be sent before it, as it is.
    init(_ client: TLSClient, after rest: [UInt8]) throws(LaneFailure) {
        outgoing = rest
        do throws(TLSError) {
            engine = try client.connect()
            _ = try engine.handshake()
        } catch {
            throw LaneFailure(error)
        }
        engine.takeOutput(to: &outgoing)
    }

    /// The ciphertext that the stream has not taken.
    var unsentCount: Int { outgoing.count - taken }

    /// Reads once from the stream, and adds what that brings to `plaintext`: all of it, which may be a record more than
    /// `limit`. Nothing comes before `security` is there.
    func read(
        from stream: any ByteStream, to plaintext: inout [UInt8], limit: Int
    ) throws(LaneFailure) -> Socket.Reading {
        hasMore = false
        incoming.removeAll(keepingCapacity: true)
        do throws(SocketError) {
            switch try stream.read(to: &incoming, limit: limit) {
            case .bytes: engine.receive(incoming)
            case .end: engine.end()
            case .wouldBlock: break
            }
        } catch {
            throw LaneFailure(error)
        }
        defer { engine.takeOutput(to: &outgoing) }
        guard unsentCount <= SecureLayer.mostAnswers else {
            throw .lost("the server asks for new keys and takes no answers")
        }
        guard security != nil else {
            security = try engineCall { () throws(TLSError) in try engine.handshake() }
            hasMore = security != nil
            return .wouldBlock
        }
        let before = plaintext.count
        let isOpen = try engineCall { () throws(TLSError) in try engine.read(to: &plaintext) }
        guard plaintext.count > before else { return isOpen ? .wouldBlock : .end }
        hasMore = !isOpen
        return .bytes(plaintext.count - before)
    }

    /// Plaintext of a record (RFC 8446 §5.1), of which all but the last byte may have come with an earlier read.
    static let longestRecord = 16_384

    /// Ciphertext that may wait: more than a piece of what is encrypted, which is all that this side sends unasked.
    private static let mostAnswers = 1 << 20

    /// True if the last read brought all that was asked for.
    func isFull(_ limit: Int) -> Bool { incoming.count >= limit }

    /// Encrypts the next piece of `plaintext`, from `start` on. The result is how many bytes that were; 0 before the
    /// handshake is done.
    func encrypt(_ plaintext: [UInt8], from start: Int) throws(LaneFailure) -> Int {
        if security == nil { return 0 }
        let count = try engineCall { () throws(TLSError) in
            try engine.write(plaintext, from: start)
        }
        engine.takeOutput(to: &outgoing)
        return count
    }

    /// Writes ciphertext until there is none, or the stream is full.
    func send(on stream: any ByteStream) throws(SocketError) {
        while unsentCount > 0 {
            let count = try stream.write(outgoing, from: taken)
            if count == 0 { return }
            taken += count
        }
        outgoing.removeAll(keepingCapacity: true)
        taken = 0
    }

    /// Tells the peer that nothing more comes.
    func close() {
        engine.close()
        engine.takeOutput(to: &outgoing)
    }

    private func engineCall<Value>(
        _ body: () throws(TLSError) -> Value
    ) throws(LaneFailure) -> Value {
        do throws(TLSError) {
            return try body()
        } catch {
            // The alert, which tells the peer why.
            engine.takeOutput(to: &outgoing)
            throw LaneFailure(error)
        }
    }
}
