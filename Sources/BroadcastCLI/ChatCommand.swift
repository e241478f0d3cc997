import Broadcaster
import BroadcasterChatDemo

/// `broadcast chat`: a web chat on the library, in one command.
struct ChatCommand {
    private let arguments: Arguments
    private let port: UInt16

    init(_ words: [Word]) throws {
        arguments = try Arguments(
            words, valued: ["--url", "--host", "--port", "--allow-host"],
            flags: ["--trace"])
        guard arguments.positional.isEmpty else {
            throw Failure(
                .usage, "chat takes options only; a room is named in the browser: /room/NAME")
        }
        guard let port = UInt16(arguments["--port"] ?? "8000") else {
            throw Failure(.usage, "--port takes a number from 0 to 65535")
        }
        self.port = port
    }

    func run() async throws {
        let broadcast = try arguments.broadcast(orElse: "memory://?history=1000")
        let work = Task { try await serve(broadcast) }
        Interruption.handle { work.cancel() }
        let result = await work.result
        await broadcast.disconnect()
        do {
            try result.get()
        } catch BroadcastError.cancelled {
            // A signal while connecting: the end that was asked for.
        }
    }

    /// The names of `--allow-host`, between commas.
    private var names: [String] {
        (arguments["--allow-host"] ?? "").utf8.split(separator: UInt8(ascii: ","))
            .map { String(Substring($0)) }
    }

    private func serve(_ broadcast: Broadcast) async throws {
        try await broadcast.connect()
        let server: ChatServer
        do {
            server = try ChatServer(
                broadcast, host: arguments["--host"] ?? "127.0.0.1", port: port, names: names)
        } catch {
            throw Failure(.other, "\(error); is another program there? --port 0 finds a free one")
        }
        Console.output("open \(server.address) in a browser")
        await server.run()
    }
}
