import BroadcasterWire

/// A backend of one Redis server, which sentinels may find.
protocol RedisService: Backend {
    /// Makes a conversation with a server that is to be the master.
    ///
    /// - Parameters:
    ///   - found: what the server is, in words, for those who ask.
    ///   - nonce: makes the names of this session its own.
    func makeSession(withMaster found: String, nonce: String) -> any Session
}
