import BroadcasterWire

/// A backend of one Redis server, which sentinels may find.
protocol RedisService: Backend {
    /// Makes a conversation with a server that is to be the master.
    ///
    /// - Parameters:
    ///   - found: the server.
    ///   - nonce: makes the names of this session its own.
    func makeSession(withMaster found: FoundMaster, nonce: String) -> any Session
}
