import Glibc

/// Counts the time and the CPU of a workload from its creation on, and prints them.
struct Meter {
    private let start = Meter.read(CLOCK_MONOTONIC)
    private let cpuStart = Meter.read(CLOCK_PROCESS_CPUTIME_ID)

    /// Prints one line of `key=value`, which the harness reads.
    func report(messages: Int, _ more: KeyValuePairs<String, Double> = [:]) {
        let cpu = Meter.read(CLOCK_PROCESS_CPUTIME_ID) - cpuStart
        let seconds = Meter.read(CLOCK_MONOTONIC) - start
        var line = "messages=\(messages) seconds=\(seconds) cpu_us=\(cpu * 1e6)"
        line += " peak_kb=\(Meter.memory("VmHWM:"))"
        for (key, value) in more { line += " \(key)=\(value)" }
        Meter.say(line)
    }

    /// Prints a line to the harness, at once.
    static func say(_ line: String) {
        puts(line)
        fflush(nil)
    }

    static func complain(_ line: String) {
        let line = "benchmark-worker: \(line)\n"
        _ = write(STDERR_FILENO, line, line.utf8.count)
    }

    /// The kilobytes in /proc/self/status. (`ru_maxrss` would be the parent's at the start.)
    static func memory(_ key: String) -> Int {
        guard let file = fopen("/proc/self/status", "r") else { return 0 }
        defer { fclose(file) }
        var text: [UInt8] = []
        while case let byte = fgetc(file), byte >= 0 { text.append(UInt8(byte)) }
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n")
        where line.hasPrefix(key) {
            return Int(line.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) ?? 0
        }
        return 0
    }

    /// The seconds of a clock.
    static func read(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
