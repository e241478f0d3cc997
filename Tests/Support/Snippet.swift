/// A Swift example of a document: a block that begins with ```` ```swift ````, in Markdown or in a comment of a symbol.
package struct Snippet: Sendable {
    /// The document, and the line of the first line of code.
    package let file: String
    package let line: Int
    package let code: String
    /// The words of an HTML comment right before the block: `not compiled: why`, or `context: declarations`.
    package let note: String?

    /// True if the example makes its own connection, inside the process.
    package var needsNoServer: Bool {
        code.contains("\"memory://") || code.contains("MemoryConnection()")
    }

    /// All examples of a document.
    package static func all(in text: String, of file: String) -> [Snippet] {
        var snippets: [Snippet] = []
        var code: [Substring]?
        var start = 0
        var note: String?
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            let line = file.hasSuffix(".swift") ? withoutComment(line) : line
            if let collected = code {
                if line.hasPrefix("```") {
                    let text = collected.joined(separator: "\n")
                    snippets.append(Snippet(file: file, line: start, code: text, note: note))
                    (code, note) = (nil, nil)
                } else {
                    code?.append(line)
                }
            } else if line == "```swift" {
                (code, start) = ([], number + 2)
            } else if line.hasPrefix("<!--"), line.hasSuffix("-->") {
                note = String(line.dropFirst(5).dropLast(4))
            } else if !line.isEmpty {
                note = nil
            }
        }
        return snippets
    }

    /// A line of a comment without its indentation and marks.
    private static func withoutComment(_ line: Substring) -> Substring {
        let text = line.drop { $0 == " " }
        guard text.hasPrefix("///") else { return line }
        return text.dropFirst(text.hasPrefix("/// ") ? 4 : 3)
    }

    /// The code as the body of a function, where `…` stands for nothing in particular. The compiler's complaints name the
    /// document.
    package func function(named name: String) -> String {
        let body = code.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.hasPrefix("import ") || $0 == "@main" ? "" : $0 }
            .joined(separator: "\n").split(separator: "…", omittingEmptySubsequences: false)
            .joined(separator: "()")
        let context = note.flatMap { $0.hasPrefix("context: ") ? $0.dropFirst(9) : nil } ?? ""
        return """
            func \(name)() async throws {
            \(context)
            #sourceLocation(file: "\(file)", line: \(line))
            \(body)
            #sourceLocation()
            }

            """
    }
}
