import BroadcasterSockets
import Synchronization

/// A socket that an event loop watches.
final class SocketStream: ByteStream {
    private let socket: Socket
    private let loop: EventLoop
    private let registration = Mutex<EventLoop.Registration?>(nil)

    init(_ socket: Socket, on loop: EventLoop) {
        self.socket = socket
        self.loop = loop
    }

    func watch(_ handler: @escaping @Sendable (Readiness) -> Void) throws(SocketError) {
        let new = try loop.watch(socket, for: .readable, handler: handler)
        registration.withLock { $0 = new }
    }

    func watchWritable(_ isWatched: Bool) throws(SocketError) {
        guard let registration = registration.withLock({ $0 }) else { return }
        try loop.change(registration, to: isWatched ? [.readable, .writable] : .readable)
    }

    func read(to bytes: inout [UInt8], limit: Int) throws(SocketError) -> Socket.Reading {
        try socket.read(to: &bytes, limit: limit)
    }

    func write(_ bytes: [UInt8], from start: Int) throws(SocketError) -> Int {
        try socket.write(bytes, from: start)
    }

    func finishWriting() {
        socket.finishWriting()
    }

    func close() {
        if let registration = registration.withLock({ $0.take() }) { loop.unwatch(registration) }
    }
}
