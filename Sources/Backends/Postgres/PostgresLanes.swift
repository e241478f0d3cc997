package import BroadcasterWire

extension Lane {
    /// The second connection of the probe, where a pooler stands between.
    package static let probe = Lane(index: 1)
}
