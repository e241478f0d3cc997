import BroadcasterSockets
import BroadcasterTestSupport
import Glibc

/// `swift run -c release broadcast-soak`: see `SoakOptions.usage`.
@main
struct SoakCommand {
    static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        do {
            if words.first == "check", words.count == 3 || words.dropFirst(3) == ["history"] {
                try check(words[1], words[2], keepsHistory: words.count == 4)
            }
            let options = try SoakOptions(words)
            exit(try await soak(options) ? 0 : 1)
        } catch let error as SoakError {
            Console.say("\(error)\n\(SoakOptions.usage)")
            exit(64)
        } catch {
            Console.say("\(error)")
            exit(1)
        }
    }

    private static func check(
        _ published: String, _ subscriber: String, keepsHistory: Bool
    ) throws -> Never {
        let check = try LogCheck(published: published, keepsHistory: keepsHistory)
        let verdict = try check.verdict(on: subscriber)
        Console.say(verdict.summary)
        for violation in verdict.violations { Console.say("\(subscriber):\(violation)") }
        exit(verdict.isCorrect ? 0 : 1)
    }

    private static func soak(_ options: SoakOptions) async throws -> Bool {
        Console.say("seed \(options.seed), \(options.seconds) s, \(options.faultCount) faults")
        var isCorrect = true
        for backend in options.backends {
            if let program = backend.missingProgram {
                Console.say("\(backend.rawValue)  skipped: there is no \(program)")
                let isRequired = SystemFiles.variable("BROADCASTER_REQUIRE_SERVERS") == "1"
                isCorrect = isCorrect && !isRequired
                continue
            }
            isCorrect = try await soak(backend, options) && isCorrect
        }
        Console.say(isCorrect ? "all is well" : "FAILED with seed \(options.seed)")
        return isCorrect
    }

    private static func soak(_ backend: SoakBackend, _ options: SoakOptions) async throws -> Bool {
        let folder = try options.logs.map { "\($0)/\(backend.rawValue)" } ?? TemporaryFolder.make()
        if let parent = options.logs { mkdir(parent, 0o755) }
        mkdir(folder, 0o755)
        var problems: [String]
        do {
            var soak = try await Soak(backend, options, logsIn: folder)
            problems = try await soak.run()
        } catch {
            problems = ["\(error)"]
        }
        for problem in problems { Console.say("\(backend.rawValue)  WRONG: \(problem)") }
        if problems.isEmpty {
            if options.logs == nil { TemporaryFolder.remove(folder) }
        } else {
            Console.say("\(backend.rawValue)  seed \(options.seed), logs in \(folder)")
        }
        return problems.isEmpty
    }
}
