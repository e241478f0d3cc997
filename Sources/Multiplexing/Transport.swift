import BroadcasterSockets
import BroadcasterWire

/// One lane's socket with the bytes that wait on either side of it. Belongs to the runner's actor.
final class Transport {
    let socket: Socket
    let registration: EventLoop.Registration
    var received = ReceiveBuffer()
    private var unsent: [UInt8] = []
    /// How much of `unsent` the kernel has taken.
    private var taken = 0
    private var isWatchingWritable = false
    private var readSize = Transport.readSizes.lowerBound

    /// A read takes what the socket has, up to this: little for quiet channels, and for busy ones
    /// enough to make a system call cheap beside the messages that it brings.
    private static let readSizes = 16_384...262_144

    /// A read that brings so much is one of a stream of them.
    static let muchAtOnce = 16_384

    init(_ socket: Socket, _ registration: EventLoop.Registration) {
        self.socket = socket
        self.registration = registration
    }

    /// How many bytes wait to be sent.
    var unsentCount: Int { unsent.count - taken }

    /// Reads once. What came is at the end of `received`.
    func read() throws(SocketError) -> Socket.Reading {
        let size = readSize
        let reading = try received.fill { (bytes: inout [UInt8]) throws(SocketError) in
            try socket.read(to: &bytes, limit: size)
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

    /// Writes until all is sent or the kernel is full; then the loop says when to go on.
    func flush(_ loop: EventLoop) throws(SocketError) {
        while unsentCount > 0 {
            let count = try socket.write(unsent, from: taken)
            if count == 0 { break }
            taken += count
        }
        if unsentCount == 0 {
            unsent.removeAll(keepingCapacity: unsent.capacity <= Transport.keptCapacity)
            taken = 0
        }
        let mustWatch = unsentCount > 0
        if mustWatch != isWatchingWritable {
            try loop.change(registration, to: mustWatch ? [.readable, .writable] : .readable)
            isWatchingWritable = mustWatch
        }
    }

    /// A buffer that grew for one huge message gives its memory back.
    private static let keptCapacity = 1 << 20
}
