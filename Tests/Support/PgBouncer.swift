internal import BroadcasterSockets
internal import Glibc
internal import Synchronization

/// PgBouncer before a Postgres server.
package final class PgBouncer: Sendable {
    package let port: UInt16
    private let folder: String
    private let process = Mutex<ServerProcess?>(nil)

    /// - Parameter mode: `session` or `transaction`.
    package init(before server: PostgresServer, mode: String) async throws {
        folder = try TemporaryFolder.make()
        port = try FreePort.find()
        try configure(before: server, mode: mode)
        try await start()
    }

    /// Writes its configuration, for the next start.
    package func configure(before server: PostgresServer, mode: String) throws {
        let configuration = """
            [databases]
            postgres = host=\(server.folder) port=\(server.port) user=admin
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = \(port)
            unix_socket_dir =
            auth_type = any
            pool_mode = \(mode)
            default_pool_size = 4
            """
        let path = folder + "/pgbouncer.ini"
        guard let file = fopen(path, "w") else { throw SocketError("fopen", path, code: errno) }
        fputs(configuration, file)
        fclose(file)
        chmod(folder, 0o755)
        chmod(path, 0o644)
    }

    /// Starts it, on the same port as before; returns when it accepts connections.
    package func start() async throws {
        let user = geteuid() == 0 ? ["-u", "postgres"] : []
        let new = try ServerProcess([Programs.pgbouncer] + user + [folder + "/pgbouncer.ini"])
        guard await new.line(containing: "process up") != nil else {
            throw SocketError("pgbouncer did not start")
        }
        process.withLock { $0 = new }
    }

    /// Stops it, and so cuts every connection.
    package func stop() async {
        let running = process.withLock { $0 }
        running?.signal(SIGTERM)
        _ = await running?.waitForExit()
    }

    deinit {
        TemporaryFolder.remove(folder)
    }

    package var url: String { "postgres://someone:secret@127.0.0.1:\(port)/postgres" }
}
