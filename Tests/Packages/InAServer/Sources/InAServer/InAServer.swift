import Broadcaster
import Hummingbird
import HummingbirdWebSocket
import Logging
import Metrics
import ServiceLifecycle

// The sections between the marks stand in the DocC article `InAServer` as they stand here.

// [service]
struct BroadcastService: Service {
    let broadcast: Broadcast

    func run() async throws {
        // Graceful shutdown does not cancel a service by itself.
        try await cancelWhenGracefulShutdown { try await broadcast.run() }
    }
}
// [/service]

// [events]
func events(_ room: String, of broadcast: Broadcast, for request: Request) -> Response {
    let body = ResponseBody { writer in
        // Cancels what is inside when the client goes.
        try await request.body.consumeWithCancellationOnInboundClose { _ in
            try await broadcast.withSubscription(to: room) { messages in
                // Without this the server would wait for open streams, and they for messages.
                for try await event in messages.events.cancelOnGracefulShutdown() {
                    try await writer.write(ByteBuffer(string: serverSent(event)))
                }
            }
        }
        try await writer.finish(nil)
    }
    return Response(status: .ok, headers: [.contentType: "text/event-stream"], body: body)
}
// [/events]

// [serverSent]
func serverSent(_ event: SubscriptionEvent) -> String {
    switch event {
    case .message(let message):
        // A line break inside of a message would end the line, and an empty line the event.
        message.text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .map { "data: \($0)\n" }.joined() + "\n"
    case .gap(let gap):
        "event: gap\ndata: \(gap)\n\n"
    }
}
// [/serverSent]

// [webSocket]
func talk(
    in room: String, of broadcast: Broadcast,
    _ inbound: WebSocketInboundStream, _ outbound: WebSocketOutboundWriter
) async throws {
    try await broadcast.withSubscription(to: room) { messages in
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for try await message in messages.cancelOnGracefulShutdown() {
                    try await outbound.write(.text(message.text))
                }
            }
            group.addTask {
                for try await message in inbound.messages(maxSize: 65_536) {
                    guard case .text(let text) = message else { continue }
                    try await broadcast.publish(text, to: room)
                }
            }
            // The client has gone, or the server ends: neither half goes on without the other.
            try await group.next()
            group.cancelAll()
        }
    }
}
// [/webSocket]

// [metrics]
struct MetricsService: Service {
    let broadcast: Broadcast

    func run() async throws {
        let received = Meter(label: "broadcast_received")
        let dropped = Meter(label: "broadcast_dropped")
        let reconnects = Meter(label: "broadcast_reconnects")
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let statistics = broadcast.statistics
                received.set(statistics.received)
                dropped.set(statistics.dropped)
                reconnects.set(statistics.reconnects)
                try? await Task.sleep(for: .seconds(10))
            }
        }
    }
}
// [/metrics]

@main
struct InAServer {
    static func main() async throws {
        let arguments = CommandLine.arguments
        let (url, port) = (arguments[1], Int(arguments[2]) ?? 8080)
        // [application]
        let logger = Logger(label: "server")
        var options = BroadcastOptions()
        options.waitsForServer = true
        options.log = { entry in
            logger.log(level: Logger.Level(rawValue: entry.level.rawValue) ?? .info, "\(entry)")
        }
        let broadcast = try Broadcast(url, options: options)

        let router = Router(context: BasicWebSocketRequestContext.self)
        router.get("/health") { _, _ -> HTTPResponse.Status in
            broadcast.isReady ? .ok : .serviceUnavailable
        }
        router.get("/events/:room") { request, context in
            events(try context.parameters.require("room"), of: broadcast, for: request)
        }
        router.post("/rooms/:room") { request, context -> HTTPResponse.Status in
            let body = try await request.body.collect(upTo: 65_536)
            let room = try context.parameters.require("room")
            do throws(BroadcastError) {
                try await broadcast.publish(body.readableBytesView, to: room)
                return .accepted
            } catch {
                logger.warning("not published: \(error)")
                return error.isRetryable ? .serviceUnavailable : .internalServerError
            }
        }
        router.ws("/rooms/:room") { inbound, outbound, context in
            let room = try context.requestContext.parameters.require("room")
            try await talk(in: room, of: broadcast, inbound, outbound)
        }
        let application = Application(
            router: router,
            server: .http1WebSocketUpgrade(webSocketRouter: router),
            configuration: .init(address: .hostname("127.0.0.1", port: port)),
            services: [
                BroadcastService(broadcast: broadcast), MetricsService(broadcast: broadcast),
            ],
            logger: logger)
        try await application.runService()
        // [/application]
    }
}
