import Broadcaster
import BroadcasterPostgres
import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Promise 11, for URLs that are written wrongly. The fuzzer `secret` looks for more of them.
struct SecretURLTests {
    /// From bug reports of other clients, and each mark at its worst place.
    private static let reported = [
        "redis://:p@SECRET1/SECRET2@127.0.0.1:6379", "redis://:p@SECRET1#SECRET2@127.0.0.1:6379",
        "redis://:!@#$%^&*()[]SECRET@127.0.0.1:6379", "redis://:p@SECRET1?SECRET2@127.0.0.1:6379",
        "postgres://u:p@SECRET1/SECRET2@127.0.0.1/db", "redis://:p#SECRET", "redis://:p@h#SECRET",
        "redis://user:pass@h/SECRET", "redis://user:pass@h?SECRET=1",
        "redis://user:pass@h?db=SECRET",
        "redis://h?password=a&SECRET=1", "redis://h?password=a&db=SECRET",
        "redis://h?passwd=SECRET",
        "postgres://u:p@h/d?sslmode=SECRET", "postgres://u:p@h/d?port=SECRET",
        "postgres://u:p@h/d?SECRET", "postgres://u:p@h?large_payloads=SECRET",
        "postgres://u:p@h?require_auth=SECRET", "postgres://u:p@h?keepalives=SECRET",
        "postgres://h?sslpassword=SECRET&x=y", "postgres://h?scram_client_key=SECRET",
        "SECRET://u:p@h", "memory://u:SECRET@h", "unix://u:p@SECRET/x@/run/r.sock",
        "redis://u:SECRET?SECRET=1&SECRET=2", "redis://u:p@h?max_connections=SECRET",
        "redis://u:p@h?encoding=SECRET", "redis://u:p@h?%53ECRET", "redis://u:p@h?SECRET=%zz",
    ]

    @Test(arguments: reported)
    func noErrorShowsAPieceOfThePassword(text: String) {
        for output in outputs(text) { #expect(!SecretURL.isShown(in: output), "\(output)") }
    }

    @Test func noErrorDoesHoweverItIsWritten() {
        var random = SeededRandom()
        for _ in 0..<8000 {
            let bytes = (0..<Int.random(in: 0...9, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let url = SecretURL(bytes)
            let outputs = outputs(url.text) + (url.hasHost ? hosts(url.text) : [])
            for output in outputs where SecretURL.isShown(in: output) {
                Issue.record("seed \(random.seed): \(url.text) printed \(output)")
            }
        }
    }

    private func outputs(_ text: String) -> [String] {
        do throws(BroadcastError) {
            _ = try Broadcast(text)
            return []
        } catch {
            return ["\(error)", String(reflecting: error)]
        }
    }

    /// The names that the client would look up, and send a piece of the password.
    private func hosts(_ text: String) -> [String] {
        guard let url = try? ServerURL(text) else { return [] }
        let postgres = (try? PostgresURL(url, environment: .empty))?.endpoints ?? []
        let redis = (try? RedisURL(url)).map { [$0.endpoint] } ?? []
        return (postgres + redis).map(\.description)
    }
}
