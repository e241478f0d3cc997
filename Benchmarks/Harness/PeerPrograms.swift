import BroadcasterSockets
import BroadcasterTestSupport

/// The programs that the library is compared with: those of `Peers`, built if their headers are there.
final class PeerPrograms: Sendable {
    /// The program of a peer, or the reason why there is none.
    enum Availability: Sendable {
        case program(String)
        case missing(String)
    }

    /// The program that does the library's part.
    let worker: String
    let publisher: Availability
    let plain: Availability
    let secure: Availability
    let hiredis: Availability
    let libpq: Availability
    let librabbitmq: Availability
    let librdkafka: Availability
    private let python: Availability
    private let pika: Availability
    private let aiokafka: Availability
    static let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
    private static let source = root + "/Benchmarks/Peers"
    private static let folder = root + "/.build/peers"

    init() async throws {
        worker = try await PeerPrograms.findWorker()
        publisher = try await PeerPrograms.build("publisher")
        plain = try await PeerPrograms.build("plain")
        secure = try await PeerPrograms.build(
            "secure", flags: "-lssl -lcrypto", library: "libssl-dev")
        hiredis = try await PeerPrograms.build(
            "redis", flags: "-lhiredis", library: "libhiredis-dev")
        libpq = try await PeerPrograms.build(
            "postgres", flags: "-I/usr/include/postgresql -lpq", library: "libpq-dev")
        librabbitmq = try await PeerPrograms.build(
            "rabbitmq", flags: "-lrabbitmq", library: "librabbitmq-dev")
        librdkafka = try await PeerPrograms.build(
            "kafka", flags: "$('\(Programs.python)' -c '\(PeerPrograms.libraryOfConfluent)')",
            library: "librdkafka-dev, or no confluent-kafka in $BROADCASTER_PYTHON")
        let hasKafka = try await PeerPrograms.shell(
            "'\(Programs.python)' -c 'import aiokafka' 2>/dev/null")
        aiokafka =
            hasKafka
            ? .program(Programs.python) : .missing("no python with aiokafka in $BROADCASTER_PYTHON")
        let hasPika = try await PeerPrograms.shell(
            "'\(Programs.python)' -c 'import pika, aio_pika' 2>/dev/null")
        pika =
            hasPika
            ? .program(Programs.python)
            : .missing("no python with pika and aio-pika in $BROADCASTER_PYTHON")
        let check = "import asyncpg, broadcaster, redis; assert int(redis.VERSION[0]) < 8"
        let works = try await PeerPrograms.shell("'\(Programs.python)' -c '\(check)' 2>/dev/null")
        python =
            works
            ? .program(Programs.python)
            : .missing("no python with broadcaster, asyncpg and redis<8 in $BROADCASTER_PYTHON")
    }

    /// Prints the flags that link librdkafka as confluent-kafka brings it: 2.0.2, which Debian has, does not understand
    /// what Tansu answers.
    private static let libraryOfConfluent = """
        import confluent_kafka, glob, os
        path = glob.glob(os.path.dirname(confluent_kafka.__file__) + ".libs/librdkafka-*.so*")[0]
        print(path, "-Wl,-rpath," + os.path.dirname(path))
        """

    /// Returns `$BROADCASTER_WORKER`, such as that of another commit; otherwise this commit's, linked statically, as
    /// a deployed program is: it starts sooner and has 2 MB less of memory. Without a static runtime, the one beside
    /// this program.
    private static func findWorker() async throws -> String {
        if let path = SystemFiles.variable("BROADCASTER_WORKER") { return path }
        let scratch = root + "/.build/static"
        let build =
            "cd '\(root)' && swift build -c release --static-swift-stdlib --product benchmark-worker"
            + " --scratch-path '\(scratch)' >&2"
        if try await shell(build) { return scratch + "/release/benchmark-worker" }
        return Programs.broadcast.split(separator: "/").dropLast().map { "/" + $0 }.joined()
            + "/benchmark-worker"
    }

    private static func build(
        _ name: String, flags: String = "", library: String? = nil
    ) async throws -> Availability {
        let program = "\(folder)/\(name)"
        let command = "cc -O2 -o '\(program)' '\(source)/\(name).c' \(flags) 2>/dev/null"
        if try await shell("mkdir -p '\(folder)' && \(command)") { return .program(program) }
        return .missing(library.map { "no cc or no \($0)" } ?? "no cc")
    }

    /// Runs a command. Not by system(3), which ignores signals meanwhile.
    private static func shell(_ command: String) async throws -> Bool {
        let process = try Children.start(["sh", "-c", command])
        defer { Children.forget(process) }
        return await process.waitForExit() == 0
    }

    /// A peer in C.
    func native(
        _ name: String, _ availability: Availability, count: Int, _ words: [String]
    ) -> Measurement.Subject {
        subject(name, availability, count: count, words)
    }

    /// A peer in Python, with less to do: it is ten to a hundred times slower.
    func python(
        _ name: String, count: Int, words: (Int) -> [String]
    ) -> Measurement.Subject {
        let count = max(count / 10, 1)
        let script = "\(PeerPrograms.source)/peers.py"
        return subject(name, python, count: count, [script] + words(count))
    }

    /// The same for RabbitMQ's clients.
    func rabbitPython(
        _ name: String, count: Int, words: (Int) -> [String]
    ) -> Measurement.Subject {
        let count = max(count / 10, 1)
        let script = "\(PeerPrograms.source)/rabbitmq.py"
        return subject(name, pika, count: count, [script] + words(count))
    }

    /// The same for Kafka's client.
    func kafkaPython(
        _ name: String, count: Int, words: (Int) -> [String]
    ) -> Measurement.Subject {
        let count = max(count / 10, 1)
        let script = "\(PeerPrograms.source)/kafka.py"
        return subject(name, aiokafka, count: count, [script] + words(count))
    }

    /// Publishes `count` messages to RabbitMQ, as fast as that goes.
    func feedRabbit(_ port: String, _ count: Int) async throws {
        try await feed(librabbitmq, "librabbitmq-dev", port, count)
    }

    /// The same to Kafka.
    func feedKafka(_ port: String, _ count: Int) async throws {
        try await feed(librdkafka, "librdkafka-dev", port, count)
    }

    private func feed(
        _ program: Availability, _ library: String, _ port: String, _ count: Int
    ) async throws {
        guard case .program(let path) = program else {
            throw BenchmarkError("no \(library): nothing to feed with")
        }
        let process = try Children.start([path, "feed", port, "\(count)", "64"])
        defer { Children.forget(process) }
        guard await process.waitForExit() == 0 else { throw BenchmarkError("the feed failed") }
    }

    private func subject(
        _ name: String, _ availability: Availability, count: Int, _ words: [String]
    ) -> Measurement.Subject {
        switch availability {
        case .program(let path):
            Measurement.Subject(
                name: name, words: [path] + words, count: count, isPeer: true)
        case .missing(let reason):
            Measurement.Subject(
                name: name, words: [], count: count, missing: reason, isPeer: true)
        }
    }
}
