package import BroadcasterWire

extension Lane {
    /// The second connection of the probe, where a pooler stands between.
    package static let probe = Lane(index: 1)
    /// The connection that cancels a statement of the main lane.
    package static let cancellation = Lane(index: 2)
    /// The connection that cancels the notification of the probe's lane.
    package static let probeCancellation = Lane(index: 3)
}
