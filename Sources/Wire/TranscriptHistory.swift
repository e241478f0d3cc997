/// The lines of requests to read from a history, and of their answers.
///
/// `> read TICKET CHANNEL` and then one of: `start new`, `start last 3`, `start since 60`, `start after POSITION`,
/// `start all`; `after POSITION to POSITION count 100` (`from` before an inclusive one, `end` for no end); `before POSITION
/// count 100` (`end` for the newest).
extension TranscriptLine {
    static func show(_ request: HistoryRequest) -> String {
        "\(request.ticket) \(show(request.channel.name)) \(show(request.kind))"
    }

    private static func show(_ kind: HistoryRequest.Kind) -> String {
        switch kind {
        case .start(.new): "start new"
        case .start(.last(let count)): "start last \(count)"
        case .start(.since(let time)): "start since \(time.components.seconds)"
        case .start(.after(let position)): "start after \(position)"
        case .start(.all): "start all"
        case .forwards(let page):
            "\(show(page.cursor)) to \(page.end.map { "\($0)" } ?? "end") count \(page.count)"
                + page.earlier.map { " \($0)" }.joined()
        case .backwards(let position, let count):
            "before \(position.map { "\($0)" } ?? "end") count \(count)"
        }
    }

    private static func show(_ cursor: Cursor) -> String {
        "\(cursor.isInclusive ? "from" : "after") \(cursor.position)"
    }

    static func lines(of page: HistoryPage) -> [String] {
        let verdict =
            switch page.verdict {
            case .kept: "kept"
            case .trimmed(let lost): "trimmed \(lost.map(String.init) ?? "?")"
            case .reset: "reset"
            }
        let end = page.isEnd ? " end" : ""
        return ["! page \(page.ticket) \(verdict) next \(show(page.next))\(end)"]
            + (page.messages.map(messages) ?? [])
    }

    /// The request that a line describes, without its ticket and channel; nil for a line that describes none.
    package static func requestKind(_ words: [String]) -> HistoryRequest.Kind? {
        guard words.count >= 2 else { return nil }
        switch (words[0], words[1]) {
        case ("start", "new"): return .start(.new)
        case ("start", "all"): return .start(.all)
        case ("start", "last"):
            return words.count == 3 ? Int(words[2]).map { .start(.last($0)) } : nil
        case ("start", "since"):
            return words.count == 3 ? Int(words[2]).map { .start(.since(.seconds($0))) } : nil
        case ("start", "after"):
            return words.count == 3 ? Position(text: words[2]).map { .start(.after($0)) } : nil
        case ("before", let text):
            guard words.count == 4, let count = Int(words[3]) else { return nil }
            return .backwards(before: Position(text: text), count: count)
        case (let side, let text):
            guard words.count >= 6, let position = Position(text: text), let count = Int(words[5])
            else { return nil }
            return .forwards(
                PageRequest(
                    cursor: side == "from" ? .from(position) : .after(position),
                    end: Position(text: words[3]), count: count,
                    earlier: words.dropFirst(6).compactMap { Position(text: $0) }))
        }
    }
}
