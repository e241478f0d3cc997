internal import BroadcasterSockets
internal import Glibc
internal import Synchronization

/// A real RabbitMQ for tests: a node of its own on loopback, with its own data and epmd.
///
/// A node needs some ten seconds to start, so tests share one. It ends with the test process: a watcher beside it waits
/// for the end of its standard input.
package final class RabbitMQServer: Sendable {
    /// The node for all tests that leave it as it was.
    package static let shared = Task { try await RabbitMQServer() }

    package let folder: String
    private let name: String
    private let ports: Mutex<Ports>
    private let process = Mutex<ServerProcess?>(nil)

    private struct Ports {
        var client: UInt16 = 0
        var distribution: UInt16 = 0
        var names: UInt16 = 0
        /// Of TLS.
        var secure: UInt16 = 0
    }

    package var port: UInt16 { ports.withLock { $0.client } }

    /// The port for TLS, with the certificate `good`, which lets clients log in by a certificate of `ca`; where certificates
    /// can be made.
    package var securePort: UInt16 { ports.withLock { $0.secure } }

    package func url(_ rest: String = "") -> String { "amqp://127.0.0.1:\(port)\(rest)" }

    /// - Parameter first: the node of a cluster that this one joins.
    package init(joining first: RabbitMQServer? = nil) async throws {
        folder = try TemporaryFolder.make()
        name = "\(folder.split(separator: "/").last ?? "node")@localhost"
        ports = Mutex(Ports())
        for attempt in 1...5 {
            do {
                try choosePorts(epmd: first?.ports.withLock { $0.names })
                try await start()
                break
            } catch  where attempt < 5 {
                continue
            }
        }
        guard let first else { return }
        try await control("stop_app")
        try await control("join_cluster", first.name)
        try await control("start_app")
    }

    deinit {
        // The watcher ends the node, and removes the folder.
        process.withLock { $0 = nil }
    }

    /// - Parameter epmd: the port of another node's, which serves this one too.
    private func choosePorts(epmd: UInt16?) throws {
        let new = Ports(
            client: try FreePort.find(), distribution: try FreePort.find(),
            names: try epmd ?? FreePort.find(), secure: try FreePort.find())
        ports.withLock { $0 = new }
        TemporaryFolder.write(environment(new), to: folder + "/environment")
        TemporaryFolder.write(
            "listeners.tcp.default = 127.0.0.1:\(new.client)\nlog.console = false\n"
                + RabbitMQServer.security(new.secure),
            to: folder + "/rabbitmq.conf")
        let plugins = Certificates.areAvailable ? "rabbitmq_auth_mechanism_ssl" : ""
        TemporaryFolder.write("[\(plugins)].\n", to: folder + "/enabled_plugins")
        TemporaryFolder.write("broadcaster", to: folder + "/.erlang.cookie")
        chmod(folder + "/.erlang.cookie", 0o400)
    }

    private static func security(_ port: UInt16) -> String {
        guard Certificates.areAvailable else { return "" }
        return """
            listeners.ssl.default = 127.0.0.1:\(port)
            ssl_options.cacertfile = \(Certificates.certificate("ca"))
            ssl_options.certfile = \(Certificates.certificate("good"))
            ssl_options.keyfile = \(Certificates.key("good"))
            ssl_options.verify = verify_peer
            ssl_options.fail_if_no_peer_cert = false
            ssl_cert_login_from = common_name
            auth_mechanisms.1 = PLAIN
            auth_mechanisms.2 = AMQPLAIN
            auth_mechanisms.3 = EXTERNAL

            """
    }

    /// The variables of the node and of rabbitmqctl, for a shell.
    private func environment(_ ports: Ports) -> String {
        let loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        let variables = [
            "HOME": folder, "LANG": "C.UTF-8", "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": "\(ports.names)", "RABBITMQ_NODENAME": name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1", "RABBITMQ_NODE_PORT": "\(ports.client)",
            "RABBITMQ_DIST_PORT": "\(ports.distribution)",
            "RABBITMQ_MNESIA_BASE": folder + "/mnesia", "RABBITMQ_LOG_BASE": folder + "/log",
            "RABBITMQ_CONFIG_FILE": folder + "/rabbitmq.conf", "RABBITMQ_PID_FILE": folder + "/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder + "/enabled_plugins",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null", "ERL_CRASH_DUMP": folder + "/erl_crash.dump",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback + " +S 1:1",
            "RABBITMQ_CTL_ERL_ARGS": loopback,
        ]
        return variables.map { "export \($0.key)='\($0.value)'\n" }.joined()
    }

    /// Starts the node beside an epmd of its own; the watcher ends both, when the node's end is wanted or the test
    /// process has gone.
    private static let script = """
        . "$1/environment"
        exec 3<&0
        epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" >/dev/null 2>&1 </dev/null &
        names=$!
        mkdir -p "$1/log" "$1/mnesia"
        rm -f "$1/pid"
        "$2" </dev/null 2>&1 &
        node=$!
        ( cat <&3 >/dev/null; kill -KILL "$(cat "$1/pid")" "$names" 2>/dev/null
          while kill -0 "$node" 2>/dev/null; do :; done; rm -rf "$1" ) >/dev/null 2>&1 &
        watcher=$!
        wait "$node"
        kill -TERM "$watcher" "$names"
        """

    /// Starts it, on the same port as before and with what it had stored; returns when it accepts connections.
    package func start() async throws {
        let new = try ServerProcess(["bash", "-c", Self.script, "node", folder, Programs.rabbitmq])
        guard await new.line(containing: "completed with") != nil else {
            throw SocketError("RabbitMQ on port \(port) did not start")
        }
        process.withLock { $0 = new }
    }

    /// The process of the node itself.
    private var identifier: pid_t? {
        guard let file = fopen(folder + "/pid", "r") else { return nil }
        defer { fclose(file) }
        var text: [CChar] = Array(repeating: 0, count: 32)
        guard fgets(&text, 31, file) != nil else { return nil }
        return pid_t(atol(text))
    }

    /// Sends a signal to the node; for one that ends it, returns when it has ended.
    package func signal(_ number: Int32, waits: Bool) async {
        if let identifier { await send(number, to: identifier) }
        if waits { _ = await process.withLock { $0 }?.waitForExit() }
    }

    /// Runs rabbitmqctl. Returns its output, without what it says to a person.
    @discardableResult
    package func control(_ words: String...) async throws -> [String] {
        let script = ". \"$0/environment\"; exec \"$@\""
        let process = try ServerProcess(
            ["bash", "-c", script, folder, Programs.rabbitmqctl, "-q"] + words)
        return await process.remainingLines()
    }
}
