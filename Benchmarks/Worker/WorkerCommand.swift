import Glibc

/// `benchmark-worker NAME key=value…`: does one workload, and prints its cost on one line.
///
/// The harness runs it, so that CPU time and memory are those of one client alone.
@main
struct WorkerCommand {
    private typealias Work = @Sendable (WorkerArguments) async throws -> Void

    private static let all: [String: Work] = [
        "receive": { try await ReceiveWork($0).run() },
        "publish": { try await PublishWork($0).run() },
        "fan-out": { try await FanOutWork($0).run() },
        "stream-hub": { try await StreamHubWork($0).run() },
        "round-trip": { try await RoundTripWork($0).run() },
        "channels": { try await ChannelsWork($0).run() },
        "first-message": { try await FirstMessageWork($0).run() },
        "decode": { try DecodeWork($0).run() },
        "slow": { try await SlowWork($0).run() },
        "cluster-router": { try ClusterRouterWork($0).run() },
        "in-hand": { try await InHandWork($0).run() },
    ]

    static func main() async {
        do {
            let arguments = try WorkerArguments(CommandLine.arguments.dropFirst())
            guard let work = all[arguments.workload] else {
                throw WorkerError("no workload \(arguments.workload)")
            }
            try await work(arguments)
        } catch {
            Meter.complain("\(error)")
            exit(1)
        }
    }
}
