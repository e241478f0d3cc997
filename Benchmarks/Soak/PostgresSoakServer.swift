import Broadcaster
import BroadcasterSockets
import BroadcasterTestSupport
import Glibc

struct PostgresSoakServer: SoakServer {
    let publisherRate = 500
    let hasPatterns = false
    let keepsHistory: Bool
    private let server: PostgresServer
    private let settings: [String]
    private let query: String

    /// As many as a soak publishes on a channel in a day.
    private static let history = "history=messages&max_length=100000000"

    init(isSecure: Bool = false, keepsHistory: Bool = false) async throws {
        self.keepsHistory = keepsHistory
        server = try await PostgresServer(certificate: isSecure ? "good" : nil)
        settings = isSecure ? server.security : []
        let authority = Certificates.certificate("ca")
        query =
            isSecure
            ? "&sslmode=verify-full&channel_binding=require&sslrootcert=\(authority)"
            : keepsHistory ? "&\(Self.history)" : ""
        if keepsHistory {
            try await Broadcast(server.url("admin", "?\(Self.history)")).migrate()
            try await server.sql("GRANT SELECT ON messages, messages_channels TO scram")
        }
    }

    var port: UInt16 { server.port }
    func publisherAddress() throws -> SocketAddress {
        try SocketAddress(unixPath: "\(server.folder)/.s.PGSQL.\(server.port)")
    }
    func makeDialect() -> any PublisherDialect {
        PostgresDialect(table: keepsHistory ? "messages" : nil)
    }

    func url(throughPort port: UInt16) -> String {
        "postgres://scram:secret@127.0.0.1:\(port)/postgres?ping=500ms&connect_timeout=2s\(query)"
    }

    func freeze() async { signal(SIGSTOP) }
    func thaw() async { signal(SIGCONT) }
    func kill() async { await server.stop(SIGQUIT) }
    func start() async throws { try await server.start(settings) }

    func expel(_ random: inout SeededRandom) async throws -> String {
        let all = Bool.random(using: &random)
        let who = all ? "pid <> pg_backend_pid()" : "usename = 'scram'"
        let lines = try await server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                + "WHERE backend_type = 'client backend' AND \(who)")
        return "pg_terminate_backend of \(all ? "all" : "the subscriber"), \(lines.count) ended"
    }

    /// A backend that dies takes all others with it: Postgres cannot know what it did to shared memory.
    func disturb(_ random: inout SeededRandom) async throws -> String {
        let lines = try await server.sql(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'scram' LIMIT 1")
        guard let identifier = lines.first.flatMap({ pid_t($0) }), identifier > 1 else {
            return "nobody to kill"
        }
        Glibc.kill(identifier, SIGKILL)
        return "SIGKILL of a backend"
    }

    /// The server is many processes: the first, which the file names, and its children.
    private func signal(_ number: Int32) {
        guard let file = SystemFiles.read("\(server.folder)/data/postmaster.pid"),
            let first = file.text.split(separator: "\n").first.flatMap({ pid_t($0) }), first > 1
        else { return }
        let children = SystemFiles.read("/proc/\(first)/task/\(first)/children")?.text ?? ""
        for child in children.split(separator: " ").compactMap({ pid_t($0) }) {
            Glibc.kill(child, number)
        }
        Glibc.kill(first, number)
    }
}
