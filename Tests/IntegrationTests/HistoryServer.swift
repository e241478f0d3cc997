import Broadcaster
import Testing

/// A server that keeps history, for one test.
enum HistoryServer: CaseIterable, CustomTestStringConvertible {
    case memory

    var testDescription: String { "\(self)" }

    /// Runs `body` with a broadcast over a new server.
    func run(_ body: (Broadcast) async throws -> Void) async throws {
        let broadcast = try Broadcast("memory://?history=1000000&history_bytes=1000000000")
        try await broadcast.connect()
        try await body(broadcast)
        await broadcast.disconnect()
    }
}
