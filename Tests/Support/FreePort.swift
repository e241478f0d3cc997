internal import BroadcasterSockets

package enum FreePort {
    /// Finds a port that the kernel chose and no process listens on now.
    package static func find() throws -> UInt16 {
        try Listener(at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0]).address.port
    }
}
