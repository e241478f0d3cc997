/// A moment on the monotonic clock that goes on while the machine is suspended.
///
/// It is `ContinuousClock.Instant`, in a form whose layout the compiler knows. The library's own has none that the
/// compiler may rely on, so its holders are moved by metadata at run time: that was half of the cost of a message.
public struct Instant: Comparable, Hashable, Sendable {
    private static let origin = ContinuousClock.now
    private let time: Duration

    private init(time: Duration) {
        self.time = time
    }

    /// The moment of the system's clock.
    public init(_ instant: ContinuousClock.Instant) {
        time = Instant.origin.duration(to: instant)
    }

    /// A moment before all others that this process looks at, where there is no better one.
    public static let zero = Instant(time: .zero)

    /// The same moment, for the system.
    public var onClock: ContinuousClock.Instant { Instant.origin + time }

    /// This moment.
    public static var now: Instant { Instant(.now) }

    /// The moment so much later.
    public static func + (instant: Instant, duration: Duration) -> Instant {
        Instant(time: instant.time + duration)
    }

    /// The moment so much earlier.
    public static func - (instant: Instant, duration: Duration) -> Instant {
        Instant(time: instant.time - duration)
    }

    /// Moves the moment.
    public static func += (instant: inout Instant, duration: Duration) {
        instant = instant + duration
    }

    /// The time from `earlier` to `later`.
    public static func - (later: Instant, earlier: Instant) -> Duration {
        later.time - earlier.time
    }

    /// True if `one` comes first.
    public static func < (one: Instant, other: Instant) -> Bool {
        one.time < other.time
    }
}

extension Instant? {
    /// The earlier of two moments, of which either may be missing. Without an array, as a runner asks several times for
    /// each message.
    public func orEarlier(_ other: Instant?) -> Instant? {
        guard let self, let other else { return self ?? other }
        return min(self, other)
    }
}
