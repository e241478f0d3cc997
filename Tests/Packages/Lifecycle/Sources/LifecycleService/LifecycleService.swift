import Broadcaster
import Logging
import ServiceLifecycle

// The example of the DocC article `InAServer` begins here.
struct BroadcastService: Service {
    let broadcast: Broadcast

    func run() async throws {
        // Graceful shutdown does not cancel a service by itself.
        try await cancelWhenGracefulShutdown { try await broadcast.run() }
    }
}

struct NewsService: Service {
    let broadcast: Broadcast
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            do throws(BroadcastError) {
                // Services start at the same moment, in no order.
                try await broadcast.ready()
                for try await event in try await broadcast.subscribe(to: "news").events {
                    logger.info("\(event)")
                }
            } catch {
                // Cancelled, or disconnected by the service beside it: the shutdown that was asked for.
                if !Task.isCancelled { throw error }
            }
        }
    }
}

@main
struct LifecycleService {
    static func main() async throws {
        let logger = Logger(label: "service")
        var options = BroadcastOptions()
        options.log = { entry in
            logger.log(level: Logger.Level(rawValue: entry.level.rawValue) ?? .info, "\(entry)")
        }
        options.waitsForServer = CommandLine.arguments.contains("wait")
        let broadcast = try Broadcast(CommandLine.arguments[1], options: options)
        let group = ServiceGroup(
            services: [
                BroadcastService(broadcast: broadcast),
                NewsService(broadcast: broadcast, logger: logger),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        try await group.run()
    }
}
// The example ends here.
