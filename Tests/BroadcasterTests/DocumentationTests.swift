import Broadcaster
import Foundation
import Testing

/// Code in the README and the articles is code that is compiled elsewhere, word for word.
struct DocumentationTests {
    private static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    private static let articles = "Sources/Broadcaster/Broadcaster.docc/"

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: Self.root + "/" + path, encoding: .utf8)
    }

    /// The lines between two marks, without the indentation that all share.
    private func section(_ source: String, from start: String, upTo end: String) throws -> String {
        let from = try #require(source.range(of: start), "no \(start)")
        let to = try #require(
            source.range(of: end, range: from.upperBound..<source.endIndex), "no \(end)")
        let lines = source[from.upperBound..<to.lowerBound].split(
            separator: "\n", omittingEmptySubsequences: false)
        let depth =
            lines.filter { !$0.allSatisfy(\.isWhitespace) }
            .map { $0.prefix { $0 == " " }.count }.min() ?? 0
        return lines.map { String($0.dropFirst(depth)) }.joined(separator: "\n")
            .trimmingCharacters(in: .newlines)
    }

    @Test(arguments: ["service", "events", "serverSent", "webSocket", "metrics", "application"])
    func theArticleShowsTheServerThatIsBuilt(name: String) throws {
        let source = try text("Tests/Packages/InAServer/Sources/InAServer/InAServer.swift")
        let code = try section(source, from: "// [\(name)]\n", upTo: "// [/\(name)]")
        #expect(code.contains("broadcast") || name == "serverSent")
        #expect(try text(Self.articles + "InAServer.md").contains("```swift\n\(code)\n```"))
    }

    @Test(arguments: ["service", "webSocket"])
    func theReadmeShowsTheServerThatIsBuilt(name: String) throws {
        let source = try text("Tests/Packages/InAServer/Sources/InAServer/InAServer.swift")
        let code = try section(source, from: "// [\(name)]\n", upTo: "// [/\(name)]")
        #expect(try text("README.md").contains("```swift\n\(code)\n```"))
    }

    @Test func noServiceIsShownThatNeverEnds() throws {
        for path in ["README.md", Self.articles + "InAServer.md", Self.articles + "Delivery.md"] {
            #expect(!(try text(path)).contains("@retroactive Service"), "\(path)")
        }
    }

    @Test(arguments: [
        (
            "Parameter last: the position at which a returning page stood.\n",
            "    /// Carries the room as"
        ),
        ("until the client has left, or the room ends.\n", "\n}\n"),
    ])
    func theArticleShowsTheChatAsItIs(start: String, end: String) throws {
        let source = try text("Sources/BroadcastCLI/ChatDemo/ChatRoom.swift")
        let code = try section(source, from: start, upTo: end)
        #expect(code.contains("func "))
        #expect(try text(Self.articles + "ComingFromPython.md").contains(code))
    }

    @Test func theReadmeIsShortAndItsLinksLeadSomewhere() throws {
        let readme = try text("README.md")
        #expect(readme.split(separator: "\n", omittingEmptySubsequences: false).count <= 201)
        var links = 0
        for piece in readme.components(separatedBy: "](").dropFirst() {
            let link = piece.prefix { $0 != ")" && $0 != "#" }
            guard !link.hasPrefix("http") else { continue }
            links += 1
            let file = Self.root + "/" + link
            #expect(FileManager.default.fileExists(atPath: file), "\(link)")
        }
        #expect(links > 10)
    }

    /// An unknown option is answered by the list of those that are there.
    @Test(arguments: [
        "redis://localhost?x=1", "rediss://localhost?x=1", "redis-stream://localhost?x=1",
        "postgres://u@localhost/d?x=1", "amqp://localhost?x=1", "amqps://localhost?x=1",
        "kafka://localhost?x=1", "kafkas://localhost?x=1", "memory://?x=1",
    ])
    func everyOptionOfAURLIsDocumented(url: String) throws {
        let error = #expect(throws: BroadcastError.self) { _ = try Broadcast(url) }
        let list = try #require(
            "\(error ?? .cancelled)".components(separatedBy: "possible are ").last)
        let options = list.components(separatedBy: ", ")
        #expect(options.count >= 5)
        let article = try text(Self.articles + "URLs.md")
        for option in options { #expect(article.contains("`\(option)`"), "\(option)") }
    }
}
