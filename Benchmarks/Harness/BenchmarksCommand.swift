import BroadcasterSockets
import Glibc

/// `swift run -c release benchmarks [NAME…]`: measures, and prints what it measured.
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
            try Children.endOnSignals()
            Children.atEnd { servers.release() }
            let bench = Bench(options)
            for workload in workloads {
                do {
                    try await workload.run(bench, servers)
                } catch {
                    print("\n\(workload.name): \(error)")
                    failures += 1
                }
            }
            try bench.report.write(to: options.json)
        } catch {
            print(error)
            failures += 1
        }
        Children.endAll()
        exit(failures == 0 ? 0 : 1)
    }
}
