import BroadcasterTestSupport
import Glibc

/// W9: the time until the smallest subscriber has its first message, the size of the command, and the time of its
/// build.
struct StartWorkloads {
    private let bench: Bench
    private static let starts = 20

    init(_ bench: Bench) {
        self.bench = bench
    }

    // MARK: Starting

    func start(_ server: RedisServer?) async throws {
        func own(_ name: String, _ url: String) -> Measurement.Subject {
            bench.worker(name, count: 1, "first-message", "url=\(url)")
        }
        var subjects = [own("memory", "memory://")]
        if let server {
            subjects.append(own("redis", server.url))
            subjects.append(
                bench.peers.native(
                    "hiredis", bench.peers.hiredis, count: 1, ["first-message", "\(server.port)"]))
            subjects.append(
                bench.peers.python("Python broadcaster", count: 1) { _ in
                    ["first-message", server.url]
                })
        }
        try await bench.measure(
            Measurement(
                title: "W9 start to first message, median of \(StartWorkloads.starts) a run",
                subjects: subjects, metrics: [.milliseconds, .peak],
                targets: ["memory", "redis"].map { .atMost(6, .milliseconds, of: $0) },
                sampling: StartWorkloads.sample))
    }

    private static func sample(_ subject: Measurement.Subject) async throws -> Sample {
        var times: [Double] = []
        var peak = 0.0
        for _ in 0..<(subject.isPeer ? 3 : starts) {
            let begin = ContinuousClock.now
            let process = try Children.start(subject.words)
            defer { Children.forget(process) }
            guard await process.line(containing: "hello") != nil else {
                throw BenchmarkError("\(subject.name): no message after the start")
            }
            times.append((.now - begin) / .milliseconds(1))
            peak = await process.remainingLines().compactMap(Sample.init).last?["peak_kb"] ?? 0
        }
        return Sample(values: [
            "milliseconds": Outcome.median(times) ?? 0, "peak_kb": peak,
        ])
    }

    // MARK: Building

    /// The flags of the README: nothing here uses regular expressions.
    private let withoutRegex =
        "-Xswiftc -Xfrontend -Xswiftc -disable-implicit-string-processing-module-import"

    func build() async throws {
        let folder = PeerPrograms.root + "/.build-benchmark"
        try await bench.measure(
            Measurement(
                title: "W9 clean release build of `broadcast`",
                subjects: [
                    subject("dynamic", folder, ""),
                    subject("static", folder, "--static-swift-stdlib \(withoutRegex)"),
                ],
                metrics: [.seconds, .megabytes],
                targets: [
                    .atMost(90, .seconds, of: "dynamic"), .atMost(90, .seconds, of: "static"),
                    .atMost(9, .megabytes, of: "static"),
                ], sampling: StartWorkloads.sampleBuild))
        _ = system("rm -rf '\(folder)'")
    }

    private func subject(_ name: String, _ folder: String, _ flag: String) -> Measurement.Subject {
        let script = """
            cd '\(PeerPrograms.root)' && rm -rf '\(folder)' && swift build -c release \(flag) \
            --product broadcast --scratch-path '\(folder)' >&2 && \
            strip -o '\(folder)/stripped' '\(folder)/release/broadcast' && \
            echo "size=$(wc -c <'\(folder)/stripped')"
            """
        return Measurement.Subject(name: name, words: ["sh", "-c", script], count: 1)
    }

    private static func sampleBuild(_ subject: Measurement.Subject) async throws -> Sample {
        let begin = ContinuousClock.now
        let process = try Children.start(subject.words)
        defer { Children.forget(process) }
        let lines = await process.remainingLines()
        let size = lines.last.flatMap { $0.split(separator: "=").last }.flatMap { Double($0) }
        guard await process.waitForExit() == 0, let size else {
            throw BenchmarkError("the build failed:\n" + lines.suffix(5).joined(separator: "\n"))
        }
        return Sample(values: [
            "seconds": (.now - begin) / .seconds(1), "megabytes": size / 1e6,
        ])
    }
}
