import BroadcasterSockets
import Glibc
import Synchronization

/// A log that grows on disk, never in memory: an hour of it is longer than the soak may hold.
final class LogFile: Sendable {
    let path: String
    private let descriptor: Int32
    private let buffer = Mutex<[UInt8]>([])

    init(_ path: String) throws {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw SocketError("open", path, code: errno) }
    }

    deinit {
        flush()
        close(descriptor)
    }

    func write(_ line: String) {
        buffer.withLock { buffer in
            buffer += line.utf8
            buffer.append(UInt8(ascii: "\n"))
            if buffer.count >= 32_768 { drain(&buffer) }
        }
    }

    func flush() {
        buffer.withLock { drain(&$0) }
    }

    private func drain(_ buffer: inout [UInt8]) {
        var start = 0
        while start < buffer.count {
            let count = buffer.withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress?.advanced(by: start), $0.count - start)
            }
            if count <= 0 { break }
            start += count
        }
        buffer.removeAll(keepingCapacity: true)
    }
}

/// The lines of a file, one after the other.
struct LogLines: Sequence, IteratorProtocol {
    private let file: FileReader
    private var chunk: Substring = ""

    init(of path: String) throws {
        file = try FileReader(path)
    }

    mutating func next() -> Substring? {
        while true {
            if let end = chunk.utf8.firstIndex(of: UInt8(ascii: "\n")) {
                defer { chunk = chunk[chunk.index(after: end)...] }
                return chunk[..<end]
            }
            guard let more = file.read() else {
                defer { chunk = "" }
                return chunk.isEmpty ? nil : chunk
            }
            chunk += more
        }
    }
}

/// Text of a file, in pieces. Logs are ASCII, so a piece may end anywhere.
private final class FileReader {
    private let descriptor: Int32
    private var bytes = [UInt8](repeating: 0, count: 65_536)

    init(_ path: String) throws {
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { throw SocketError("open", path, code: errno) }
    }

    deinit {
        close(descriptor)
    }

    func read() -> String? {
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}
