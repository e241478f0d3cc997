/// The options of the command line.
struct BenchmarkOptions: Sendable {
    var names: [String] = []
    var runs = 5
    /// A twentieth of everything: for a first look, and to see that it works.
    var isQuick = false

    /// The count for these options, given that of the full workload.
    func count(_ full: Int) -> Int { isQuick ? max(full / 20, 1) : full }

    init(_ words: some Sequence<String>) throws(UsageError) {
        var rest = Array(words)[...]
        while let word = rest.popFirst() {
            switch word {
            case "--quick": isQuick = true
            case "--runs":
                guard let number = rest.popFirst().flatMap({ Int($0) }), number > 0 else {
                    throw UsageError("--runs takes a number from 1")
                }
                runs = number
            case _ where word.hasPrefix("-"):
                throw UsageError("unknown option \(word); known are --runs N and --quick")
            default: names.append(word)
            }
        }
    }
}

/// A fault of the command line, and the options that there are.
struct UsageError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
