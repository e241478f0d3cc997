package import BroadcasterWire

extension Lane {
    /// The second connection that RESP2 needs: a subscribed one takes no PUBLISH.
    package static let subscriptions = Lane(index: 1)
}
