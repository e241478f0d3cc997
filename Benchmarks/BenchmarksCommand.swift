import Glibc

/// `swift run -c release benchmarks [NAME…]`: measures, and prints what it measured.
@main
struct BenchmarksCommand {
    private static let all: [(name: String, run: @Sendable () async throws -> Void)] = [
        ("chat", { try await ChatBenchmark().run() })
    ]

    static func main() async {
        let wanted = Array(CommandLine.arguments.dropFirst())
        let known = all.map(\.name)
        for name in wanted where !known.contains(name) {
            print("unknown benchmark \(name); known are \(known.joined(separator: ", "))")
            exit(64)
        }
        for (name, run) in all where wanted.isEmpty || wanted.contains(name) {
            do {
                try await run()
            } catch {
                print("\(name): \(error)")
                exit(1)
            }
        }
    }
}
