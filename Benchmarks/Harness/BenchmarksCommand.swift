import BroadcasterSockets
import Glibc

/// `swift run -c release benchmarks [NAME…]`: measures, and prints the figures.
@main
struct BenchmarksCommand {
    static func main() async {
        do throws(UsageError) {
            let options = try BenchmarkOptions(CommandLine.arguments.dropFirst())
            let wanted = try WorkloadList.select(options.names)
            await run(wanted, options)
        } catch {
            print(error)
            exit(64)
        }
    }

    private static func run(_ workloads: [Workload], _ options: BenchmarkOptions) async {
        FileDescriptor.raiseLimit()
        let servers = Servers()
        var failures = 0
        do {
            try Children.endOnSignals(with: servers)
            let bench = try await Bench(options)
            for workload in workloads {
                do {
                    try await workload.run(bench, servers)
                } catch {
                    if Children.isEnding { await forever() }
                    print("\n\(workload.name): \(error)")
                    failures += 1
                }
            }
        } catch {
            if Children.isEnding { await forever() }
            print(error)
            failures += 1
        }
        Children.endAll()
        await servers.end()
        exit(failures == 0 ? 0 : 1)
    }

    /// Waits for ever: the signal's thread ends the process.
    private static func forever() async {
        while true { try? await Task.sleep(for: .seconds(1)) }
    }
}
