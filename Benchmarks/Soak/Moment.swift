import Glibc

/// The clock of both logs.
enum Moment {
    /// Microseconds of CLOCK_MONOTONIC, which all processes of a machine share.
    static var now: Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    }
}
