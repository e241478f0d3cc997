import Broadcaster
import Glibc

/// The command `broadcast`: reads the arguments, runs a command, and says how it ended.
@main
struct BroadcastCommand {
    static let version = "0.1.0"

    static func main() async {
        StandardDescriptors.prepare()
        Interruption.prepare()
        do {
            try await run(Word.all)
        } catch let failure as Failure {
            finish(failure)
        } catch let error as BroadcastError {
            finish(Failure(error))
        } catch {
            finish(Failure(.other, "\(error)"))
        }
    }

    private static func run(_ words: [Word]) async throws {
        guard let first = words.first else {
            Console.error(Help.overview)
            throw Failure(.usage, "no command was given; try broadcast --help")
        }
        let name = first.text ?? first.shown
        if name == "--version" { return Console.output("broadcast \(version)") }
        if ["--help", "-h", "help"].contains(name) {
            let command = words.dropFirst().first?.text
            return Console.output(command.flatMap(Help.text) ?? Help.overview)
        }
        guard let help = Help.text(name) else { throw unknown(name) }
        let rest = Array(words.dropFirst())
        let options = rest.prefix { $0.bytes != Array("--".utf8) }
        if rest.first?.text == "-h" || options.contains(where: { $0.text == "--help" }) {
            return Console.output(help)
        }
        switch name {
        case "subscribe": try await SubscribeCommand(rest).run()
        case "publish": try await PublishCommand(rest).run()
        case "history": try await HistoryCommand(rest).run()
        case "migrate": try await MigrateCommand(rest).run()
        case "chat": try await ChatCommand(rest).run()
        default: try await PingCommand(rest).run()
        }
    }

    private static func unknown(_ name: String) -> Failure {
        // It may have a password in it.
        guard !name.utf8.contains(UInt8(ascii: ":")) else {
            return Failure(
                .usage,
                "the first word is a command (\(Help.commands)), and the server's URL comes after --url"
            )
        }
        return Failure(
            .usage, "unknown command \"\(name)\"; known are \(Help.commands); try --help")
    }

    private static func finish(_ failure: Failure) -> Never {
        Console.error("broadcast: \(failure.message)")
        exit(failure.status.rawValue)
    }
}

/// The failures of a command: the exit status (sysexits.h) and the last line on standard error.
struct Failure: Error {
    enum Status: Int32 {
        case other = 1
        case usage = 64
        case unreachable = 69
        case protocolViolation = 70
        /// A timeout ran out, or the server refuses for now.
        case timedOut = 75
        case refused = 77
    }

    let status: Status
    let message: String

    init(_ status: Status, _ message: String) {
        self.status = status
        self.message = message
    }

    init(_ error: BroadcastError) {
        let (status, advice) = Failure.meaning(of: error)
        self.status = status
        message = advice.map { "\(error); \($0)" } ?? error.description
    }

    private static func meaning(of error: BroadcastError) -> (Status, String?) {
        switch error {
        case .invalidURL: (.usage, "see broadcast --help for the URLs")
        case .invalid: (.usage, nil)
        case .unreachable, .notConnected:
            (.unreachable, "is the server running there, and does the URL name its host and port?")
        case .insecure: (.refused, nil)
        case .connectionLost: (.unreachable, "a server is there, and ended the connection")
        case .disconnected: (.unreachable, "try again when the server is back")
        case .authenticationFailed: (.refused, nil)
        case .permissionDenied: (.refused, "the server's access rules do not allow this user that")
        case .refused: (.refused, nil)
        case .temporarilyRefused: (.timedOut, "try again later")
        case .protocolViolation:
            (.protocolViolation, "is it the right kind of server on that port?")
        // The reason is said, where one is known.
        case .timedOut(let text) where text.containsReason: (.timedOut, nil)
        case .timedOut:
            (.timedOut, "the server is slow or stuck, or a network swallows what is sent")
        case .outcomeUnknown: (.other, "look whether it was published before you try again")
        case .incomplete(let outcomes):
            (outcomes.lazy.compactMap(firstFailure).first?.0 ?? .other, nil)
        case .overflow: (.other, "a larger --buffer holds more")
        case .historyUnsupported: (.usage, nil)
        case .undecodable, .cancelled: (.other, nil)
        }
    }

    private static func firstFailure(
        _ outcome: Result<PublishReceipt, BroadcastError>
    ) -> (Status, String?)? {
        if case .failure(let error) = outcome { meaning(of: error) } else { nil }
    }
}

extension String {
    /// True for a timeout that says what kept it: "not connected within 5 s: the server refused …". (`contains` of a text
    /// would link the engine of regular expressions.)
    fileprivate var containsReason: Bool {
        zip(utf8, utf8.dropFirst()).contains { $0 == UInt8(ascii: ":") && $1 == UInt8(ascii: " ") }
    }
}
