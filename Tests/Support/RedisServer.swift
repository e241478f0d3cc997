internal import BroadcasterSockets
internal import Glibc
internal import Synchronization

/// A real redis-server for a test: on a Unix socket and a port of loopback, in a folder of its own.
package final class RedisServer: Sendable {
    package let folder: String
    package let version: String
    private let program: String
    private let arguments: [String]
    private let state: Mutex<(port: UInt16, process: ServerProcess?)>

    /// The port, the same after each start.
    package var port: UInt16 { state.withLock { $0.port } }

    package var socketPath: String { folder + "/redis.sock" }
    package var url: String { "redis://127.0.0.1:\(port)" }

    /// - Parameter arguments: as on redis-server's command line.
    package init(_ arguments: [String] = [], program: String = Programs.redis) async throws {
        folder = try TemporaryFolder.make()
        self.program = program
        self.arguments = arguments
        version = try await RedisServer.version(of: program)
        state = Mutex((0, nil))
        // A port that is free now may be another test's a moment later.
        for attempt in 1...10 {
            do {
                let port = try FreePort.find()
                state.withLock { $0.port = port }
                try await start()
                return
            } catch  where attempt < 10 {
                continue
            }
        }
    }

    deinit {
        state.withLock { $0.process = nil }
        TemporaryFolder.remove(folder)
    }

    /// Starts it, on the same port as before; returns when it accepts connections.
    package func start() async throws {
        let new = try ServerProcess(
            [
                program, "--port", "\(port)", "--bind", "127.0.0.1", "--unixsocket", socketPath,
                "--save", "", "--appendonly", "no", "--dir", folder, "--daemonize", "no",
                "--client-output-buffer-limit", "pubsub", "0", "0", "0",
            ] + arguments)
        guard await new.line(containing: "eady to accept connections") != nil else {
            throw SocketError("redis-server on port \(port) did not start")
        }
        state.withLock { $0.process = new }
    }

    /// Sends a signal; for one that ends it, returns when it has ended.
    package func signal(_ number: Int32, waits: Bool) async {
        let running = state.withLock { $0.process }
        running?.signal(number)
        if waits { _ = await running?.waitForExit() }
    }

    package func kill() async {
        await signal(SIGKILL, waits: true)
    }

    /// Runs a command. Returns redis-cli's output.
    package func command(_ words: String...) async throws -> [String] {
        let client = try ServerProcess(
            [Programs.redisCLI, "-s", socketPath] + words)
        return await client.remainingLines()
    }

    private static func version(of program: String) async throws -> String {
        let process = try ServerProcess([program, "--version"])
        let line = await process.remainingLines().first ?? ""
        return String(line.split(separator: " ").first { $0.hasPrefix("v=") }?.dropFirst(2) ?? "?")
    }
}

/// The programs that tests run, by `$BROADCASTER_…` or by `$PATH`.
package enum Programs {
    package static var redis: String { path("redis-server", variable: "BROADCASTER_REDIS") }
    package static var redisCLI: String { path("redis-cli", variable: "BROADCASTER_REDIS_CLI") }
    package static var python: String { path("python3", variable: "BROADCASTER_PYTHON") }

    package static var pgbouncer: String {
        let path = path("pgbouncer", variable: "BROADCASTER_PGBOUNCER")
        return exists(path) ? path : "/usr/sbin/pgbouncer"
    }

    /// The folder of initdb, postgres and psql: `$BROADCASTER_POSTGRES`, or Debian's newest.
    package static let postgresFolder: String = {
        if let path = getenv("BROADCASTER_POSTGRES") { return String(cString: path) }
        let versions = (10...30).reversed().map { "/usr/lib/postgresql/\($0)/bin" }
        return versions.first { exists($0 + "/initdb") } ?? "/usr/local/pgsql/bin"
    }()

    package static var postgres: String { postgresFolder + "/postgres" }

    /// True if Python can import the modules of the tests with Postgres.
    package static let pythonHasAsyncpg: Bool =
        system("'\(python)' -c 'import broadcaster, asyncpg' 2>/dev/null") == 0 || isRequired

    /// True if strace is there, and this process may use it.
    package static let canTrace: Bool =
        system("strace -f -o /dev/null true >/dev/null 2>&1") == 0

    /// The library of libfaketime for programs with threads.
    package static let fakeTime: String =
        ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketimeMT.so.1" }
        .first { access($0, R_OK) == 0 } ?? "libfaketimeMT.so.1"

    package static var curl: String { path("curl", variable: "BROADCASTER_CURL") }
    package static var chromium: String { path("chromium", variable: "BROADCASTER_CHROMIUM") }
    package static var chromedriver: String {
        path("chromedriver", variable: "BROADCASTER_CHROMEDRIVER")
    }

    package static let pythonHasSelenium: Bool =
        system("'\(python)' -c 'import selenium' 2>/dev/null") == 0 || isRequired

    /// True if Python can import the modules of the test.
    package static let pythonHasBroadcaster: Bool = {
        let check = "import broadcaster, redis; assert int(redis.__version__.split('.')[0]) < 8"
        return system("'\(python)' -c \"\(check)\" 2>/dev/null") == 0 || isRequired
    }()

    /// The `broadcast` command of this build.
    package static var broadcast: String {
        guard let pointer = realpath("/proc/self/exe", nil) else { return "broadcast" }
        defer { free(pointer) }
        let path = String(cString: pointer)
        return path.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/broadcast"
    }

    package static func exists(_ path: String) -> Bool {
        access(path, X_OK) == 0
    }

    /// True if these programs are there. A test that needs an absent program is skipped, and fails instead if
    /// `BROADCASTER_REQUIRE_SERVERS=1` demands it.
    package static func areAvailable(_ paths: String...) -> Bool {
        paths.allSatisfy(exists) || isRequired
    }

    private static var isRequired: Bool {
        getenv("BROADCASTER_REQUIRE_SERVERS").map { String(cString: $0) } == "1"
    }

    private static func path(_ name: String, variable: String) -> String {
        if let path = getenv(variable) { return String(cString: path) }
        let search = getenv("PATH").map { String(cString: $0) } ?? ""
        let folders =
            search.split(separator: ":").map(String.init) + ["/usr/bin", "/usr/local/bin"]
        return folders.map { "\($0)/\(name)" }.first(where: exists) ?? name
    }
}

package enum TemporaryFolder {
    package static func make() throws -> String {
        var name = Array("/tmp/broadcaster-XXXXXX".utf8CString)
        guard mkdtemp(&name) != nil else { throw SocketError("mkdtemp", code: errno) }
        let path = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: path, as: UTF8.self)
    }

    /// Writes a whole small file.
    package static func write(_ text: String, to path: String) {
        guard let file = fopen(path, "w") else { return }
        fputs(text, file)
        fclose(file)
    }

    package static func remove(_ path: String) {
        guard let directory = opendir(path) else { return }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) {
                    String(cString: $0)
                }
            }
            if name != ".", name != ".." { unlink("\(path)/\(name)") }
        }
        closedir(directory)
        rmdir(path)
    }
}

package enum FreePort {
    /// Finds a port that the kernel chose and no process listens on now.
    package static func find() throws -> UInt16 {
        try Listener(at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0]).address.port
    }
}
