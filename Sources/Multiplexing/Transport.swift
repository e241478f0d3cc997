import BroadcasterSockets
import BroadcasterWire

/// One lane's stream with the bytes that wait on either side of it. Belongs to the runner's actor.
///
/// It knows neither sockets nor protocols: a stream that encrypts wraps the one that is here.
final class Transport {
    let stream: any ByteStream
    var received = ReceiveBuffer()
    private var unsent: [UInt8] = []
    /// The bytes of `unsent` that the stream has taken.
    private var taken = 0
    private var isWatchingWritable = false
    private var readSize = Transport.readSizes.lowerBound

    /// The bytes that a read takes at most: few for quiet channels, and for busy ones enough to make a system call cheap
    /// beside the messages that it brings.
    private static let readSizes = 16_384...262_144

    /// Bytes of a read that is one of a stream of them.
    static let muchAtOnce = 16_384

    init(_ stream: any ByteStream) {
        self.stream = stream
    }

    /// The bytes that wait to be sent.
    var unsentCount: Int { unsent.count - taken }

    /// Reads once. The bytes are at the end of `received`.
    func read() throws(SocketError) -> Socket.Reading {
        let size = readSize
        let stream = stream
        let reading = try received.fill { (bytes: inout [UInt8]) throws(SocketError) in
            try stream.read(to: &bytes, limit: size)
        }
        if reading == .bytes(size) { readSize = min(size * 2, Transport.readSizes.upperBound) }
        return reading
    }

    func append(_ bytes: inout [UInt8]) {
        if unsent.isEmpty {
            // Both keep their space: the next turn writes into the other's.
            swap(&unsent, &bytes)
        } else {
            if taken >= Transport.keptCapacity {
                unsent.removeFirst(taken)
                taken = 0
            }
            unsent.append(contentsOf: bytes)
            bytes.removeAll(keepingCapacity: true)
        }
    }

    /// Writes until all is sent or the stream is full; then the stream says when to go on.
    func flush() throws(SocketError) {
        while unsentCount > 0 {
            let count = try stream.write(unsent, from: taken)
            if count == 0 { break }
            taken += count
        }
        if unsentCount == 0 {
            unsent.removeAll(keepingCapacity: unsent.capacity <= Transport.keptCapacity)
            taken = 0
        }
        let mustWatch = unsentCount > 0
        if mustWatch != isWatchingWritable {
            try stream.watchWritable(mustWatch)
            isWatchingWritable = mustWatch
        }
    }

    /// A buffer that grew for one huge message gives its memory back.
    private static let keptCapacity = 1 << 20
}
