package import BroadcasterWire

extension Lane {
    /// The second connection that RESP2 needs: a subscribed one takes no PUBLISH.
    package static let subscriptions = Lane(index: 1)
    /// A connection that tells a server which holds messages back from one that is silent: see `RedisWitness`.
    package static let witness = Lane(index: 2)
}
