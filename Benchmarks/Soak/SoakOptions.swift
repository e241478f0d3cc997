import Glibc

/// The options of the command line.
struct SoakOptions: Sendable {
    static let usage = """
        usage: broadcast-soak [--minutes N | --seconds N] [--faults N] [--seed N]
                              [--backend redis|redis2|postgres|rabbitmq|kafka|redis-tls|postgres-tls|all]
                              [--logs FOLDER]
               broadcast-soak check PUBLISHED SUBSCRIBER

        Publishes to a server of its own for 60 seconds, or as long as it is told, breaks the library's connection
        in 20 random ways, or as many as it is told (a longer soak has one every 3 seconds), and
        decides from two logs whether each message came once and in order, or was covered by a gap.
        """

    var seconds = 60
    var faults: Int?
    var seed = UInt64.random(in: 0...999_999)
    var backends = SoakBackend.allCases
    /// The folder in which the logs stay; without it they are removed after a soak that finds no fault.
    var logs: String?

    var faultCount: Int { faults ?? max(1, seconds / 3) }

    init(_ words: [String]) throws(SoakError) {
        var rest = words[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw SoakError("\(name): a value is missing")
            }
            switch name {
            case "--seconds": seconds = try Self.number(value, for: name)
            case "--minutes": seconds = try Self.number(value, for: name) * 60
            case "--faults": faults = try Self.number(value, for: name)
            case "--seed": seed = UInt64(try Self.number(value, for: name))
            case "--logs": logs = value
            case "--backend" where value == "all": backends = SoakBackend.allCases
            case "--backend":
                guard let backend = SoakBackend(rawValue: value) else {
                    let known = SoakBackend.allCases.map(\.rawValue).joined(separator: ", ")
                    throw SoakError("--backend: \(value) is none of \(known), all")
                }
                backends = [backend]
            default: throw SoakError("unknown option \(name)")
            }
        }
    }

    private static func number(_ text: String, for name: String) throws(SoakError) -> Int {
        guard let number = Int(text), (0...10_000_000).contains(number) else {
            throw SoakError("\(name): expected a number, found \(text)")
        }
        return number
    }
}
