import BroadcasterTestSupport
import Foundation
import Testing

/// Every Swift example of the README, of the articles and of the symbols' comments compiles against the library.
@Suite(.takesTurns, .timeLimit(.minutes(5)))
struct SnippetTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()

    /// Whatever examples take for granted.
    private static let context = """
        import Broadcaster
        import BroadcasterBackendKit
        import BroadcasterJSON
        import BroadcasterTesting

        struct ChatLine: Codable, Sendable { var user: String; var text: String }
        func made<Value>() -> Value { fatalError("compiled alone") }
        let broadcast: Broadcast = made()
        let subscription: Subscription = made()
        let chat: TypedChannel<ChatLine> = made()
        let error: BroadcastError = made()
        let (lines, secret): ([String], String) = made()
        func show(_ text: String) {}
        func reload(because reason: Gap.Reason) {}

        """

    private static func files(in folder: String, _ suffixes: [String]) -> [String] {
        let names = FileManager.default.enumerator(atPath: "\(root)/\(folder)")
        return (names?.compactMap { $0 as? String } ?? []).sorted()
            .filter { name in suffixes.contains { name.hasSuffix($0) } }
            .map { "\(folder)/\($0)" }
    }

    private static func text(_ file: String) throws -> String {
        try String(contentsOfFile: "\(root)/\(file)", encoding: .utf8)
    }

    /// The words of the code, without its comments.
    private static func words(_ code: some StringProtocol) -> String {
        code.split(separator: "\n").map { line -> String in
            let words = line.split(whereSeparator: \.isWhitespace)
            return words.prefix { !$0.hasPrefix("//") }.joined(separator: " ")
        }.joined(separator: " ").split(separator: " ").joined(separator: " ")
    }

    /// True if all paragraphs of the example stand in this code.
    private static func stands(_ snippet: Snippet, in built: String) -> Bool {
        snippet.code.components(separatedBy: "\n\n").allSatisfy { built.contains(words($0)) }
    }

    @Test(.enabled(if: Programs.exists(Programs.swift), "needs the Swift compiler"))
    func everyExampleCompiles() async throws {
        let documents =
            ["README.md"]
            + ["BackendKit", "Broadcaster", "BroadcasterJSON", "Testing"].flatMap {
                Self.files(in: "Sources/\($0)", [".md", ".swift"])
            }
        let snippets = try documents.flatMap { Snippet.all(in: try Self.text($0), of: $0) }
        #expect(snippets.count > 20)
        // What stands word for word in code that is built is compiled there.
        let built = try
            (Self.files(in: "Sources/BroadcastCLI", [".swift"])
            + Self.files(in: "Tests/Packages", [".swift"])
            + Self.files(in: "Tests/NATSBackend", [".swift"])
            + Self.files(in: "Tests/BroadcasterTests", [".swift"]))
            .map { Self.words(try Self.text($0)) }
        let remaining = snippets.filter { snippet in
            if snippet.note?.hasPrefix("not compiled: ") == true { return false }
            // Parts of a manifest.
            if snippet.code.hasPrefix("// Package.swift") || snippet.code.hasPrefix(".") {
                return false
            }
            return !built.contains { Self.stands(snippet, in: $0) }
        }
        #expect(remaining.count > 15)
        // What needs no server runs too: these tests have it word for word, and look at what it does. (The README's program is
        // printed and compared by `.ci/run`.)
        let run = try Self.files(in: "Tests/BroadcasterTests", [".swift"]).map {
            Self.words(try Self.text($0))
        }
        for snippet in snippets where snippet.needsNoServer && !snippet.code.contains("@main") {
            #expect(
                run.contains { Self.stands(snippet, in: $0) },
                "\(snippet.file):\(snippet.line) is run by no test")
        }
        let functions = remaining.enumerated().map { $1.function(named: "example\($0)") }
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        TemporaryFolder.write(
            Self.context + functions.joined(separator: "\n"), to: "\(folder)/examples.swift")
        let compiler = try ServerProcess([
            "\(Programs.swift)c", "-typecheck", "-parse-as-library", "-swift-version", "6",
            "-suppress-warnings", "-I", Programs.sibling("Modules"), "-I",
            "\(Self.root)/Sources/CEpoll", "\(folder)/examples.swift",
        ])
        let complaints = await compiler.remainingLines()
        let status = await compiler.waitForExit()
        #expect(status == 0, "\(complaints.filter { $0.contains("error:") })")
    }
}
