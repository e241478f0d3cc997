import Broadcaster
import BroadcasterChatDemo

/// `broadcast history`: prints a page of what the server has kept of a channel.
struct HistoryCommand {
    private let arguments: Arguments
    private let channel: String
    private let part: HistoryPart
    private let limit: Int
    private let printer: EventPrinter

    init(_ words: [Word]) throws {
        arguments = try Arguments(
            words, valued: ["--url", "--format", "--before", "--after", "--limit"],
            flags: ["--oldest", "--trace"], rest: "a channel")
        let channels = try arguments.names(arguments.positional, what: "channel")
        guard let channel = channels.first, channels.count == 1 else {
            throw Failure(.usage, "history takes one channel; try broadcast history --help")
        }
        self.channel = channel
        part = try HistoryCommand.part(arguments)
        limit = try arguments.count("--limit") ?? 100
        guard limit <= 1000 else { throw Failure(.usage, "--limit is at most 1000") }
        printer = EventPrinter(
            format: try arguments.format(), topics: [channel], isPattern: false)
    }

    private static func part(_ arguments: Arguments) throws -> HistoryPart {
        var parts: [HistoryPart] = []
        if let position = try arguments.position("--before") { parts.append(.before(position)) }
        if let position = try arguments.position("--after") { parts.append(.after(position)) }
        if arguments.has("--oldest") { parts.append(.oldest) }
        guard parts.count <= 1 else {
            throw Failure(.usage, "--before, --after and --oldest name different parts: give one")
        }
        return parts.first ?? .newest
    }

    func run() async throws {
        let broadcast = try arguments.broadcast()
        let work = Task {
            // Without a history the next call says so, and needs no server for that.
            if broadcast.keepsHistory { try await broadcast.connect() }
            return try await broadcast.history(of: channel, part, limit: limit)
        }
        Interruption.handle { work.cancel() }
        let result = await work.result
        await broadcast.disconnect()
        do {
            let page = try result.get()
            if let gap = page.gap { printer.gap(gap) }
            for message in page.messages { printer.message(message) }
            printer.flush()
        } catch BroadcastError.cancelled {
            // A signal: the end that was asked for.
        }
    }
}
