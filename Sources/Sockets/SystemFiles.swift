internal import CBroadcasterEpoll
internal import Glibc

/// The few things that the library reads of the machine beside sockets.
package enum SystemFiles {
    /// An environment variable; nil if it is not set, or empty.
    package static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }

    /// The name of the user that this process runs as.
    package static var userName: String? {
        guard let entry = unsafe getpwuid(geteuid()) else { return nil }
        return unsafe String(cString: entry.pointee.pw_name)
    }

    /// Milliseconds since 1970, by the machine's clock.
    package static var time: Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    /// The time at which a file or folder was last changed, in nanoseconds; nil if there is none.
    package static func modified(_ path: String) -> Int? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec
    }

    /// Reads a file's text, at most 1 MiB of it, and the lowest nine bits of its mode; nil if there is no file. The
    /// text is empty unless the file is regular.
    package static func read(_ path: String) -> (text: String, permissions: Int)? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        let permissions = Int(status.st_mode) & 0o777
        guard status.st_mode & S_IFMT == S_IFREG else { return ("", permissions) }
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = FileDescriptor(owning: number)
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < 1 << 20 {
            let count = unsafe Glibc.read(file.number, &chunk, chunk.count)
            if count <= 0 { break }
            bytes += chunk.prefix(count)
        }
        return (String(decoding: bytes, as: UTF8.self), permissions)
    }
}
