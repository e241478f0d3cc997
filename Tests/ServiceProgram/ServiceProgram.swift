import Broadcaster
@preconcurrency import Dispatch
import Glibc

/// A server as small as one can be: runs a `Broadcast` and a subscriber beside it, each as a service, until SIGTERM
/// cancels both. That is what `cancelWhenGracefulShutdown` makes of swift-service-lifecycle, here without that package.
///
/// Its arguments: a URL, and `wait` to wait for a server that is not there.
@main
struct ServiceProgram {
    static func main() async {
        let terminations = terminations()
        do {
            var options = BroadcastOptions()
            options.waitsForServer = CommandLine.arguments.contains("wait")
            let broadcast = try Broadcast(CommandLine.arguments[1], options: options)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await broadcast.run() }
                group.addTask { try await printNews(of: broadcast) }
                group.addTask {
                    for await status in broadcast.statuses { say("status: \(status)") }
                }
                group.addTask { for await _ in terminations { break } }
                // SIGTERM, or what one of them throws.
                try await group.next()
                group.cancelAll()
                try await group.waitForAll()
            }
            say("ended")
        } catch {
            say("failed: \(error)")
            exit(1)
        }
    }

    /// Begins at the same moment as `run()`, and so before there is a connection.
    private static func printNews(of broadcast: Broadcast) async throws {
        do throws(BroadcastError) {
            try await broadcast.ready()
            let news = try await broadcast.subscribe(to: "news")
            say("subscribed")
            for try await event in news.events { say("\(event)") }
        } catch {
            // Whichever of the two services was cancelled first.
            if !Task.isCancelled { throw error }
        }
    }

    /// Prints a line at once: `print` would keep it where standard output is a pipe.
    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(STDOUT_FILENO, bytes, bytes.count)
    }

    /// The SIGTERMs that come.
    private static func terminations() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        signal(SIGTERM, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGTERM)
        source.setEventHandler { continuation.yield() }
        source.activate()
        continuation.onTermination = { _ in source.cancel() }
        return stream
    }
}
