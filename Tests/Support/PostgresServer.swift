internal import BroadcasterSockets
internal import Glibc
internal import Synchronization

/// A real Postgres server for a test, in a folder of its own. Postgres refuses to run as root; then it runs as the
/// system's user `postgres`.
///
/// Roles: `admin` (a superuser), `scram`, `md5er` and `plain`, each with the password `secret` and the login that
/// its name says, and `trusty` without one.
package final class PostgresServer: Sendable {
    package let folder: String
    /// `max_notify_queue_pages` came with Postgres 17.
    package static let hasQueueLimit: Bool =
        system("'\(Programs.postgres)' --version | grep -qE ' (1[7-9]|[2-9][0-9])\\.'") == 0
    private let state: Mutex<(port: UInt16, process: ServerProcess?)>

    package var port: UInt16 { state.withLock { $0.port } }

    package func url(_ user: String = "scram", _ rest: String = "") -> String {
        "postgres://\(user):secret@127.0.0.1:\(port)/postgres\(rest)"
    }

    /// - Parameters:
    ///   - settings: as after `-c` on the server's command line.
    ///   - certificate: with one, of those of `Certificates`, the server speaks TLS too.
    package init(_ settings: [String] = [], certificate: String? = nil) async throws {
        folder = try TemporaryFolder.make()
        state = Mutex((0, nil))
        if geteuid() == 0 { _ = try await PostgresServer.run(["chown", "postgres", folder]) }
        try await PostgresServer.initialize(folder)
        let security = certificate == nil ? [] : self.security
        if let certificate { try await copy(certificate: certificate) }
        for attempt in 1...10 {
            do {
                let port = try FreePort.find()
                state.withLock { $0.port = port }
                try await start(security + settings)
                return
            } catch  where attempt < 10 {
                continue
            }
        }
    }

    deinit {
        state.withLock { $0.process = nil }
        _ = system("rm -rf '\(folder)'")
    }

    private static func initialize(_ folder: String) async throws {
        let script = """
            set -e
            cd \(folder)
            printf secret > password
            \(Programs.postgresFolder)/initdb -D data -U admin -A scram-sha-256 --pwfile=password \
            --no-sync -E UTF8 --locale=C > /dev/null
            printf '%s\\n' 'local all all trust' 'host all trusty 127.0.0.1/32 trust' \
            'host all md5er 127.0.0.1/32 md5' 'host all plain 127.0.0.1/32 password' \
            'host all all 127.0.0.1/32 scram-sha-256' > data/pg_hba.conf
            \(Programs.postgresFolder)/postgres --single -D data postgres > /dev/null <<'END'
            CREATE ROLE scram LOGIN PASSWORD 'secret'
            CREATE ROLE plain LOGIN PASSWORD 'secret'
            CREATE ROLE trusty LOGIN
            SET password_encryption = 'md5'; CREATE ROLE md5er LOGIN PASSWORD 'secret'
            END
            """
        let lines = try await run(asPostgres(["sh", "-c", script]))
        guard try await run(asPostgres(["cat", folder + "/data/PG_VERSION"])).first != nil else {
            throw SocketError("initdb failed: \(lines.joined(separator: "\n"))")
        }
    }

    /// The server reads its key only if it owns that, and nobody else may read it.
    private func copy(certificate name: String) async throws {
        let (file, key) = (Certificates.certificate(name), Certificates.key(name))
        let script = "cat '\(file)' > server.crt; umask 77; cat > server.key"
        let process = try ServerProcess(
            PostgresServer.asPostgres(["sh", "-c", "cd '\(folder)'; \(script)"]))
        let words = try await PostgresServer.run(["cat", key])
        process.write(words.joined(separator: "\n") + "\n")
        process.closeInput()
        _ = await process.waitForExit()
    }

    /// The settings of a server with a certificate, for each start.
    package var security: [String] {
        [
            "ssl=on", "ssl_cert_file=\(folder)/server.crt", "ssl_key_file=\(folder)/server.key",
            "ssl_ca_file=\(Certificates.certificate("ca"))",
        ]
    }

    /// Appends lines to the rules for logins, before all others, and has the server read them.
    package func prepend(rules: [String]) async throws {
        let script = "f=data/pg_hba.conf; { printf '%s\\n' \"$@\"; cat $f; } > new && cat new > $f"
        _ = try await PostgresServer.run(
            PostgresServer.asPostgres(["sh", "-c", "cd '\(folder)'; \(script)", "sh"] + rules))
        try await sql("SELECT pg_reload_conf()")
    }

    /// Starts it, on the same port as before; returns when it accepts connections.
    package func start(_ settings: [String] = []) async throws {
        let fixed = [
            "port=\(port)", "listen_addresses=127.0.0.1", "unix_socket_directories=\(folder)",
            "fsync=off", "log_min_messages=warning",
        ]
        let words =
            [Programs.postgresFolder + "/postgres", "-D", folder + "/data"]
            + (fixed + settings).flatMap { ["-c", $0] }
        let new = try ServerProcess(PostgresServer.asPostgres(words))
        guard await new.line(containing: "ready to accept") != nil else {
            throw SocketError("postgres on port \(port) did not start")
        }
        state.withLock { $0.process = new }
    }

    /// Makes it a standby without a primary, from the next start on.
    package func becomeStandby() async throws {
        _ = try await PostgresServer.run(
            PostgresServer.asPostgres(["touch", folder + "/data/standby.signal"]))
    }

    /// SIGTERM waits for clients, SIGINT cuts them, SIGQUIT is a crash.
    package func stop(_ signal: Int32 = SIGINT) async {
        let process = state.withLock { $0.process }
        process?.signal(signal)
        _ = await process?.waitForExit()
    }

    /// Runs a statement. Returns psql's output, without decoration.
    @discardableResult
    package func sql(_ statement: String) async throws -> [String] {
        try await PostgresServer.run([
            Programs.postgresFolder + "/psql", "-XAtq", "-h", folder, "-p", "\(port)", "-U",
            "admin", "-c",
            statement, "postgres",
        ])
    }

    private static func asPostgres(_ words: [String]) -> [String] {
        geteuid() == 0
            ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] + words : words
    }

    private static func run(_ words: [String]) async throws -> [String] {
        let process = try ServerProcess(words)
        return await process.remainingLines()
    }
}
