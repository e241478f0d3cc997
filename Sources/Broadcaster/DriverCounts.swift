internal import BroadcasterMultiplexing

/// The counts of drivers, added up over the times of one `Broadcast`.
struct DriverCounts {
    private(set) var published = 0
    private(set) var received = 0
    private(set) var delivered = 0
    private(set) var dropped = 0
    private(set) var reconnects = 0

    mutating func add(_ driver: any Driver) {
        let counts = driver.hub.counts
        published += driver.published
        reconnects += driver.reconnects
        received += counts.received
        delivered += counts.delivered
        dropped += counts.dropped
    }
}
