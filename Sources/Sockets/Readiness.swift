internal import CBroadcasterEpoll

/// The operations that a descriptor is ready for, or is to be watched for.
package struct Readiness: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    package static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    package static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    static let edgeTriggered = Readiness(rawValue: EPOLLET.rawValue)
    /// An error or hang-up: the kernel always watches for it. The next read or write returns the reason.
    package static let failed = Readiness(rawValue: EPOLLERR.rawValue | EPOLLHUP.rawValue)
}
