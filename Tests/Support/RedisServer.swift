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
    private let securePortState = Mutex<UInt16>(0)
    /// The password that `command` gives; nil: none.
    private let password: Mutex<String?>
    /// The certificate for TLS, of those of `Certificates`; nil: no TLS.
    private let certificate: Mutex<String?>

    /// The port, the same after each start.
    package var port: UInt16 { state.withLock { $0.port } }
    /// The port for TLS.
    package var securePort: UInt16 { securePortState.withLock { $0 } }

    package var socketPath: String { folder + "/redis.sock" }
    package var url: String { "redis://127.0.0.1:\(port)" }

    /// - Parameters:
    ///   - arguments: as on redis-server's command line.
    ///   - certificate: with one, of those of `Certificates`, the server speaks TLS too.
    package init(
        _ arguments: [String] = [], certificate: String? = nil, program: String = Programs.redis
    ) async throws {
        self.certificate = Mutex(certificate)
        let place = arguments.firstIndex(of: "--requirepass")
        password = Mutex(place.map { arguments[$0 + 1] })
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
                let secure = try FreePort.find()
                securePortState.withLock { $0 = secure }
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
            ] + security + arguments)
        guard await new.line(containing: "eady to accept connections") != nil else {
            throw SocketError("redis-server on port \(port) did not start")
        }
        state.withLock { $0.process = new }
    }

    private var security: [String] {
        guard let name = certificate.withLock({ $0 }) else { return [] }
        return [
            "--tls-port", "\(securePort)", "--tls-cert-file", Certificates.certificate(name),
            "--tls-key-file", Certificates.key(name), "--tls-ca-cert-file",
            Certificates.certificate("ca"), "--tls-auth-clients", "no",
        ]
    }

    /// Takes another certificate, from the next start on.
    package func use(certificate name: String) {
        certificate.withLock { $0 = name }
    }

    /// Sends a signal; for one that ends it, returns when it has ended.
    package func signal(_ number: Int32, waits: Bool) async {
        let running = state.withLock { $0.process }
        if let running { await send(number, to: running.identifier) }
        if waits { _ = await running?.waitForExit() }
    }

    package func kill() async {
        await signal(SIGKILL, waits: true)
    }

    /// Runs a command. Returns redis-cli's output.
    package func command(_ words: String...) async throws -> [String] {
        let login = password.withLock { $0 }.map { ["-a", $0, "--no-auth-warning"] } ?? []
        let client = try ServerProcess([Programs.redisCLI, "-s", socketPath] + login + words)
        return await client.remainingLines()
    }

    /// Changes the password, as long as the server runs.
    package func change(password new: String) async throws {
        _ = try await command("CONFIG", "SET", "masterauth", new)
        _ = try await command("CONFIG", "SET", "requirepass", new)
        password.withLock { $0 = new }
    }

    private static func version(of program: String) async throws -> String {
        let process = try ServerProcess([program, "--version"])
        let line = await process.remainingLines().first ?? ""
        return String(line.split(separator: " ").first { $0.hasPrefix("v=") }?.dropFirst(2) ?? "?")
    }
}
