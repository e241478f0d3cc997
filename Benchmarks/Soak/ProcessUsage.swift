import BroadcasterSockets
import Glibc

/// The resources that this process holds.
struct ProcessUsage: Sendable {
    /// The resident memory, in kB.
    let memory: Int
    let descriptors: Int

    static var now: ProcessUsage {
        let pages = SystemFiles.read("/proc/self/statm")?.text.split(separator: " ")
        let resident = pages.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 0
        return ProcessUsage(
            memory: resident * sysconf(Int32(_SC_PAGESIZE)) / 1024,
            descriptors: openFiles.count)
    }

    /// The open files, by kind or path: `socket`, `anon_inode:[eventfd]`, `/tmp/x`.
    static var openFiles: [String] {
        // 1,024 is the limit of most shells; a soak needs less than a hundred.
        (0..<1024).compactMap { (number: Int32) -> String? in
            var target = [CChar](repeating: 0, count: 256)
            let count = readlink("/proc/self/fd/\(number)", &target, target.count)
            guard count > 0 else { return nil }
            let bytes = target.prefix(count).map { UInt8(bitPattern: $0) }
            let text = String(decoding: bytes, as: UTF8.self)
            return text.hasPrefix("socket:") || text.hasPrefix("pipe:")
                ? String(text.prefix { $0 != ":" }) : text
        }
    }
}

/// The memory over time: it must not go on growing; a single burst does not count.
struct MemoryHistory {
    private var samples: [Int] = []

    mutating func add(_ kilobytes: Int) {
        samples.append(kilobytes)
    }

    /// The fault, if the last quarter's lowest is much above the second quarter's. The first quarter is for buffers
    /// to find their size; the lowest, since a buffer that a burst fills is emptied again.
    var growth: String? {
        let quarter = samples.count / 4
        guard quarter > 0, let early = samples[quarter..<2 * quarter].min(),
            let late = samples.suffix(quarter).min(), late > early + early / 10 + 4096
        else { return nil }
        return "memory grew from \(early) kB to \(late) kB"
    }
}
