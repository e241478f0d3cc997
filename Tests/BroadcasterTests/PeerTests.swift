import BroadcasterSockets
import BroadcasterTesting
import Glibc
import Testing

struct PeerTests {
    /// Otherwise a connection that the proxy has cut would stay open until the last delayed piece is due.
    @Test func whatIsToBeSentLaterKeepsNoConnectionOpen() throws {
        let loop = try EventLoop(name: "test")
        defer { loop.stop() }
        var peer: Peer? = Peer(try Socket(family: AF_INET), on: loop)
        weak let held = peer
        peer?.send([1], after: .seconds(3600))
        peer?.close()
        peer = nil
        #expect(held == nil)
    }
}
