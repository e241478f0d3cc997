import BroadcasterTestSupport

/// W10: receiving over TLS, beside the same without, and beside C with the same OpenSSL.
struct SecureWorkloads: Sendable {
    private let plain: RedisWorkloads

    init(_ plain: RedisWorkloads) {
        self.plain = plain
    }

    private var url: String {
        let authority = Certificates.certificate("ca")
        return "rediss://localhost:\(plain.server.securePort)?ssl_ca_certs=\(authority)"
    }

    func receive() async throws {
        guard Certificates.areAvailable else {
            return print("\nw10: skipped, no openssl or faketime")
        }
        for (size, total) in [(64, 1_000_000), (1024, 200_000), (65_536, 5000)] {
            try await receive(size: size, count: plain.bench.options.count(total))
        }
    }

    private func receive(size: Int, count: Int) async throws {
        let bench = plain.bench
        func own(_ name: String, _ url: String) -> Measurement.Subject {
            bench.worker(
                name, count: count, "receive", url, "size=\(size)", "reading=count", "actor=none")
        }
        let words = ["receive", "\(plain.server.securePort)", "\(count)", "\(size)"]
        try await bench.measure(
            Measurement(
                title: "W10 receive over TLS, \(size) B × \(count)",
                subjects: [
                    own("over TLS", "url=\(url)"), own("without", plain.url),
                    bench.peers.native("C over TLS", bench.peers.secure, count: count, words),
                    bench.peers.python("redis-py over TLS", count: count) {
                        ["redis-receive", url, "\($0)", "\(size)"]
                    },
                ], feed: plain.feed(channels: 1, size: size),
                // Small messages cost twice what they cost in C without TLS already (W1).
                targets: size < 1024
                    ? [] : [.atMost(1.2, .cpuPerMessage, of: "over TLS", times: "C over TLS")]))
    }
}
