import Glibc

/// Standard input by lines, as many at a time as have come.
struct LineReader {
    /// The longest line: a message cannot have more (`max_message_size`).
    private static let longestLine = 512 << 20

    private var rest: [UInt8] = []
    private var hasEnded = false

    /// Whole lines without their ends; nil after the last. Blocks until there is one.
    mutating func next() throws -> [[UInt8]]? {
        while !hasEnded {
            let start = rest.count
            try fill()
            guard let end = rest[start...].lastIndex(of: UInt8(ascii: "\n")) else { continue }
            let lines = rest[..<end].split(
                separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            rest.removeSubrange(...end)
            return lines.map(Array.init)
        }
        defer { rest = [] }
        return rest.isEmpty ? nil : [rest]
    }

    private mutating func fill() throws {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe read(STDIN_FILENO, &chunk, chunk.count)
        if count < 0, errno == EAGAIN {
            // Whoever we share it with has made it non-blocking.
            var wish = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&wish, 1, -1)
        } else if count < 0, errno != EINTR {
            throw Failure(.other, "standard input cannot be read (errno \(errno))")
        }
        hasEnded = count == 0
        rest += chunk.prefix(max(count, 0))
        guard rest.count <= LineReader.longestLine else {
            throw Failure(.usage, "a line of standard input is longer than a message may be")
        }
    }
}
