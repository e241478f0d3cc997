internal import BroadcasterSockets
package import Glibc
internal import Synchronization

/// A program that a test runs: its output line by line, signals to it, and its end. Killed when released.
package final class ServerProcess: Sendable {
    package let identifier: pid_t
    /// Lines of standard output and standard error, as they come.
    package let lines: AsyncStream<String>
    private let status = Mutex<Int32?>(nil)
    private let exited: AsyncStream<Int32>
    private let input: Mutex<Int32?>

    /// The programs that run. A server that several tests share is never released: it would outlive the tests, and keep
    /// whoever waits for the end of their output.
    private static let running = Mutex<Set<pid_t>>([])
    private static let endsAllAtExit: Bool =
        atexit {
            ServerProcess.running.withLock { for identifier in $0 { kill(identifier, SIGKILL) } }
        } == 0

    /// - Parameter words: the program, by its path, and its arguments.
    package init(
        _ words: [String], environment: [String: String] = [:], mergesErrors: Bool = true
    ) throws {
        var output: [Int32] = [0, 0]
        var input: [Int32] = [0, 0]
        guard pipe(&output) == 0, pipe(&input) == 0 else {
            throw SocketError("pipe", code: errno)
        }
        for end in output + input { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        identifier = try ServerProcess.spawn(
            words, environment, input: input[0], output: output[1], merges: mergesErrors)
        _ = ServerProcess.endsAllAtExit
        _ = ServerProcess.running.withLock { [identifier] in $0.insert(identifier) }
        close(output[1])
        close(input[0])
        self.input = Mutex(input[1])
        let (lines, lineContinuation) = AsyncStream<String>.makeStream()
        let (exited, exitContinuation) = AsyncStream<Int32>.makeStream()
        self.lines = lines
        self.exited = exited
        let (descriptor, identifier) = (output[0], identifier)
        try Thread.start("lines") {
            ServerProcess.read(descriptor, lineContinuation)
            close(descriptor)
        }
        try Thread.start("wait") {
            var status: Int32 = 0
            while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
            _ = ServerProcess.running.withLock { $0.remove(identifier) }
            exitContinuation.yield(status & 0x7f == 0 ? status >> 8 : 128 + status & 0x7f)
            exitContinuation.finish()
        }
    }

    deinit {
        closeInput()
        if status.withLock({ $0 }) == nil { kill(identifier, SIGKILL) }
    }

    private static func spawn(
        _ words: [String], _ environment: [String: String], input: Int32, output: Int32,
        merges: Bool
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        if merges { posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The library's threads block signals, and a child would inherit that.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        // And whoever started the tests may have SIGPIPE ignored, which a child would inherit too.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        let inherited: [String] = ["PATH", "HOME", "LANG"].compactMap { (name: String) -> String? in
            getenv(name).map { "\(name)=\(String(cString: $0))" }
        }
        let all = inherited + environment.map { "\($0)=\($1)" }
        var variables: [UnsafeMutablePointer<CChar>?] = all.map { strdup($0) }
        variables.append(nil)
        defer { for text in arguments + variables { free(text) } }
        var identifier: pid_t = 0
        let code = posix_spawnp(
            &identifier, words[0], &actions, &attributes, &arguments, &variables)
        if code != 0 { throw SocketError("run", words[0], code: code) }
        return identifier
    }

    private static func read(
        _ descriptor: Int32, _ lines: AsyncStream<String>.Continuation
    ) {
        var line: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while case let count = Glibc.read(descriptor, &chunk, chunk.count), count > 0 {
            for byte in chunk.prefix(count) {
                if byte == UInt8(ascii: "\n") {
                    lines.yield(String(decoding: line, as: UTF8.self))
                    line = []
                } else {
                    line.append(byte)
                }
            }
        }
        if !line.isEmpty { lines.yield(String(decoding: line, as: UTF8.self)) }
        lines.finish()
    }

    /// Waits for a line that contains `text`, and returns the lines up to it; nil if the output ended.
    package func line(containing text: String) async -> String? {
        for await line in lines where line.contains(text) { return line }
        return nil
    }

    /// Returns all remaining lines.
    package func remainingLines() async -> [String] {
        var all: [String] = []
        for await line in lines { all.append(line) }
        return all
    }

    package func write(_ text: String) {
        guard let input = input.withLock({ $0 }) else { return }
        let bytes = Array(text.utf8)
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(input, $0.baseAddress, $0.count) }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    package func closeInput() {
        if let descriptor = input.withLock({ $0.take() }) { close(descriptor) }
    }

    package func signal(_ number: Int32) {
        kill(identifier, number)
    }

    /// Waits for the end. Returns the exit status, or 128 and the signal's number.
    package func waitForExit() async -> Int32 {
        if let known = status.withLock({ $0 }) { return known }
        for await code in exited {
            status.withLock { $0 = code }
            return code
        }
        return -1
    }
}
