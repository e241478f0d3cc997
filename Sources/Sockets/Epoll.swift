internal import CBroadcasterEpoll
internal import Glibc

/// An epoll(7) instance and the eventfd(2) that wakes it. Level-triggered.
final class Epoll: Sendable {
    struct Event {
        /// The token given to `add`: never a descriptor, whose number may be used again by then.
        let token: UInt64
        let readiness: Readiness
    }

    /// The token that stands for `wake`.
    private static let wakeToken = UInt64.max
    private static let eventsPerWait = 256

    private let descriptor: FileDescriptor
    private let wakeup: FileDescriptor

    init() throws(SocketError) {
        let flags = Int32(EPOLL_CLOEXEC)
        descriptor = FileDescriptor(
            owning: try uninterrupted("epoll_create1") { epoll_create1(flags) })
        let wakeFlags = Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK)
        wakeup = FileDescriptor(owning: try uninterrupted("eventfd") { eventfd(0, wakeFlags) })
        // Edge-triggered: the kernel reports each write once, and no thread has to read it.
        try control(
            EPOLL_CTL_ADD, wakeup.number, [.readable, .edgeTriggered], Epoll.wakeToken)
    }

    func add(_ number: Int32, _ interest: Readiness, token: UInt64) throws(SocketError) {
        try control(EPOLL_CTL_ADD, number, interest, token)
    }

    func change(_ number: Int32, _ interest: Readiness, token: UInt64) throws(SocketError) {
        try control(EPOLL_CTL_MOD, number, interest, token)
    }

    func remove(_ number: Int32) {
        _ = epoll_ctl(descriptor.number, EPOLL_CTL_DEL, number, nil)
    }

    private func control(
        _ operation: Int32, _ number: Int32, _ interest: Readiness, _ token: UInt64
    ) throws(SocketError) {
        var event = unsafe epoll_event()
        unsafe event.events = interest.rawValue
        unsafe event.data.u64 = token
        _ = try uninterrupted("epoll_ctl") {
            unsafe epoll_ctl(descriptor.number, operation, number, &event)
        }
    }

    /// Makes the `wait` under way, or the next one, return. Callable from any thread.
    func wake() {
        var one: UInt64 = 1
        // EAGAIN: the counter is full, so a wake-up is under way.
        while unsafe write(wakeup.number, &one, MemoryLayout<UInt64>.size) < 0, errno == EINTR {}
    }

    /// Waits for a wake-up alone, whether sockets are ready or not.
    func waitForWakeup(microseconds: Int) {
        var wish = pollfd(fd: wakeup.number, events: Int16(POLLIN), revents: 0)
        var time = timespec(tv_sec: 0, tv_nsec: microseconds * 1000)
        _ = unsafe ppoll(&wish, 1, &time, nil)
    }

    /// Waits for events. A wake-up ends the wait and is not part of the result.
    /// - Parameter milliseconds: the longest wait; -1 without limit, 0 not at all.
    func wait(milliseconds: Int32) throws(SocketError) -> [Event] {
        var space = unsafe [epoll_event](repeating: epoll_event(), count: Epoll.eventsPerWait)
        let count = unsafe epoll_wait(
            descriptor.number, &space, Int32(Epoll.eventsPerWait), milliseconds)
        if count < 0 {
            // A signal: the caller's loop looks at its timers and calls again.
            if errno == EINTR { return [] }
            throw SocketError("epoll_wait", code: errno)
        }
        var events: [Event] = []
        for index in 0..<Int(count) {
            let event = unsafe space[index]
            let token = unsafe event.data.u64
            if token == Epoll.wakeToken { continue }
            let readiness = unsafe Readiness(rawValue: event.events)
            events.append(Event(token: token, readiness: readiness))
        }
        return events
    }

    /// Forgets the wake-ups so far. Must precede `waitForWakeup`, which would otherwise return at once.
    func clearWakeups() {
        var value: UInt64 = 0
        while unsafe read(wakeup.number, &value, MemoryLayout<UInt64>.size) < 0, errno == EINTR {}
    }
}
