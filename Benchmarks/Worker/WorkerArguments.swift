/// The harness's words to a worker: the workload's name, and `key=value` words.
struct WorkerArguments {
    let workload: String
    private let values: [String: String]

    init(_ words: some Sequence<String>) throws {
        var workload = ""
        var values: [String: String] = [:]
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1)
            if parts.count == 2 {
                values[String(parts[0])] = String(parts[1])
            } else {
                workload = word
            }
        }
        self.workload = workload
        self.values = values
    }

    func text(_ key: String) throws -> String {
        guard let value = values[key] else { throw WorkerError("\(workload) needs \(key)=…") }
        return value
    }

    func number(_ key: String) throws -> Int {
        let text = try text(key)
        guard let number = Int(text), number > 0 else {
            throw WorkerError("\(key)=\(text) is no positive number")
        }
        return number
    }
}

/// The reason why a workload did not do the work to be measured.
struct WorkerError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
