import Broadcaster
import BroadcasterChatDemo

/// `broadcast migrate`: prints the statements that a history needs on its server, or carries them out.
struct MigrateCommand {
    private let arguments: Arguments

    init(_ words: [Word]) throws {
        arguments = try Arguments(words, valued: ["--url"], flags: ["--apply", "--trace"])
        guard arguments.positional.isEmpty else {
            throw Failure(.usage, "migrate takes options only; name the server by --url")
        }
    }

    func run() async throws {
        let broadcast = try arguments.broadcast()
        guard let statements = broadcast.migration else {
            throw Failure(
                .usage, "this URL needs nothing on its server: postgres://…?history=TABLE does")
        }
        guard arguments.has("--apply") else { return Console.output(statements) }
        let work = Task { try await broadcast.migrate() }
        Interruption.handle { work.cancel() }
        do {
            try await work.value
            Console.error("broadcast: the tables and their function are there")
        } catch BroadcastError.cancelled {
            // A signal: the end that was asked for.
        }
    }
}
