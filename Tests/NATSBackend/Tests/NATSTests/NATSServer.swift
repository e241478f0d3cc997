import Foundation
import Synchronization

/// A nats-server for tests, on a port of its own choice.
final class NATSServer: Sendable {
    private let process: Process
    let port: UInt16

    static let program = "/usr/sbin/nats-server"
    static var isAvailable: Bool {
        FileManager.default.isExecutableFile(atPath: program)
            || ProcessInfo.processInfo.environment["BROADCASTER_REQUIRE_SERVERS"] == "1"
    }

    /// - Parameters:
    ///   - password: of the user `tester`, the only one; nil lets everybody in.
    ///   - settings: the text of a configuration file.
    init(password: String? = nil, settings: String = "") async throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: NATSServer.program)
        let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).conf")
        try settings.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        process.arguments =
            ["-c", file.path(), "-a", "127.0.0.1", "-p", "-1"]
            + (password.map { ["--user", "tester", "--pass", $0] } ?? [])
        let log = Pipe()
        process.standardOutput = log
        process.standardError = log
        try process.run()
        _ = NATSServer.endsAllAtExit
        _ = NATSServer.running.withLock { [process] in $0.insert(process.processIdentifier) }
        port = try await NATSServer.port(in: log)
        // Whatever it says later must not fill the pipe.
        log.fileHandleForReading.readabilityHandler = { _ = $0.availableData }
    }

    deinit {
        _ = NATSServer.running.withLock { $0.remove(process.processIdentifier) }
        process.terminate()
    }

    /// A server that several tests share is never released, and would outlive them.
    private static let running = Mutex<Set<Int32>>([])
    private static let endsAllAtExit: Bool =
        atexit {
            NATSServer.running.withLock { for identifier in $0 { kill(identifier, SIGTERM) } }
        } == 0

    private static func port(in log: Pipe) async throws -> UInt16 {
        var text = ""
        while !text.contains("Server is ready") {
            let data = log.fileHandleForReading.availableData
            if data.isEmpty { throw NATSServerError(log: text) }
            text += String(decoding: data, as: UTF8.self)
        }
        guard let place = text.range(of: "client connections on 127.0.0.1:"),
            let port = UInt16(text[place.upperBound...].prefix { $0.isNumber })
        else { throw NATSServerError(log: text) }
        return port
    }
}

struct NATSServerError: Error {
    let log: String
}
