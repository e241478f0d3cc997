import Broadcaster
import BroadcasterTestSupport
import Glibc
import Testing

extension SetsOfServers {
    /// Three nodes that are a cluster, of which the one that clients have named first dies for good. Of two, streams would
    /// have no majority then.
    @Suite(
        .enabled(if: Programs.areAvailable(Programs.rabbitmq), "needs rabbitmq-server"),
        .serialized,
        .timeLimit(.minutes(5)))
    struct RabbitMQClusterTests {
        @Test func aNodeThatDiesIsOneGapAndWithStreamsNone() async throws {
            let first = try await RabbitMQServer()
            let second = try await RabbitMQServer(joining: first)
            let dying = try await RabbitMQServer(joining: first)
            let hosts = [dying, second, first].map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
            let plain = try Broadcast("amqp://\(hosts)".patient)
            let kept = try Broadcast("amqp://\(hosts)?history=stream&exchange=kept".patient)
            try await plain.connect()
            try await kept.connect()
            var sight = Sight(try await plain.subscribe(to: "c"))
            var history = Sight(try await kept.subscribe(to: "c"))
            try await plain.publish("before", to: "c")
            try await kept.publish("before", to: "c")
            #expect(try await sight.next() == "before")
            #expect(try await history.next() == "before")
            await dying.signal(SIGKILL, waits: true)
            #expect(try await sight.next().hasPrefix("gap reconnected"))
            try await plain.publish("after", to: "c")
            #expect(try await sight.next() == "after")
            let last = try await publish(to: kept)
            let seen = try await history.all(upTo: last)
            #expect(seen.allSatisfy { Int($0) != nil }, "\(seen)")
            #expect(Set(seen).count == seen.count, "\(seen)")
            await plain.disconnect()
            await kept.disconnect()
        }

        /// Publishes numbers until one is accepted, which is the result: a stream has no leader for a moment.
        private func publish(to broadcast: Broadcast) async throws -> String {
            var number = 0
            while true {
                number += 1
                do throws(BroadcastError) {
                    try await broadcast.publish("\(number)", to: "c")
                    return "\(number)"
                } catch {
                    switch error {
                    case .outcomeUnknown, .temporarilyRefused, .disconnected: break
                    default: throw error
                    }
                }
            }
        }
    }
}
