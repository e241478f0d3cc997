import Glibc

/// The decoders of a peer's bytes, by their names on the command line.
///
/// A fuzzer calls `run` with millions of inputs. It must come back from each: a trap, a hang, too much memory, or two
/// feeds of the same bytes that do not agree is a bug, and libFuzzer keeps the input.
enum FuzzedDecoder: String, CaseIterable {
    case kafkaAnswer = "kafka-answer"
    case kafkaRecords = "kafka-records"
    case kafkaCodec = "kafka-codec"
    case resp, redis, sentinel, watched, cluster, streams, postgres, history, amqp, rabbitmq, kafka,
        scram, parts, url,
        secret, passfile, http, websocket, text

    func run(_ bytes: [UInt8]) {
        switch self {
        case .resp: RESPFuzz.run(bytes)
        case .redis: SessionFuzz.redis.run(bytes)
        case .streams: SessionFuzz.redisStreams.run(bytes)
        case .sentinel: SessionFuzz.sentinel.run(bytes)
        case .watched: SessionFuzz.watched.run(bytes)
        case .cluster: SessionFuzz.cluster.run(bytes)
        case .postgres: SessionFuzz.postgres.run(bytes)
        case .history: SessionFuzz.postgresHistory.run(bytes)
        case .amqp: AMQPFuzz.run(bytes)
        case .rabbitmq: SessionFuzz.rabbitmq.run(bytes)
        case .kafka: SessionFuzz.kafka.run(bytes)
        case .kafkaAnswer: KafkaFuzz.answer(bytes)
        case .kafkaRecords: KafkaFuzz.records(bytes)
        case .kafkaCodec: KafkaFuzz.compressed(bytes)
        case .scram: AuthenticationFuzz.scram(bytes)
        case .parts: PartsFuzz.run(bytes)
        case .url: URLFuzz.url(bytes)
        case .secret: URLFuzz.secret(bytes)
        case .passfile: URLFuzz.passwordFile(bytes)
        case .http: ChatFuzz.http(bytes)
        case .websocket: ChatFuzz.webSocket(bytes)
        case .text: AuthenticationFuzz.text(bytes)
        }
    }

    /// The fuzzer's first inputs: the fixtures, and inputs for the corners that no fixture has.
    var seeds: [[UInt8]] {
        switch self {
        case .resp: SessionFuzz.redis.recordings.map { $0.flatMap(\.bytes) } + RESPFuzz.seeds
        case .redis: SessionFuzz.redis.seeds
        case .streams: SessionFuzz.redisStreams.seeds
        case .sentinel: SessionFuzz.sentinel.seeds
        case .watched: SessionFuzz.watched.seeds
        case .cluster: SessionFuzz.cluster.seeds
        case .postgres: SessionFuzz.postgres.seeds
        case .history: SessionFuzz.postgresHistory.seeds
        case .amqp: AMQPFuzz.seeds
        case .rabbitmq: SessionFuzz.rabbitmq.seeds
        case .kafka: SessionFuzz.kafka.seeds
        case .kafkaAnswer: KafkaFuzz.answerSeeds
        case .kafkaRecords: KafkaFuzz.recordSeeds
        case .kafkaCodec: KafkaFuzz.codecSeeds
        case .scram: AuthenticationFuzz.scramSeeds
        case .parts: PartsFuzz.seeds
        case .url: URLFuzz.seeds
        case .secret: URLFuzz.secretSeeds
        case .passfile: ["localhost:5432:db:user:pass\\:word\n#x\n*:*:*:*:p"].map { Array($0.utf8) }
        case .http: ChatFuzz.httpSeeds
        case .websocket: ChatFuzz.webSocketSeeds
        case .text: ["I\u{ad}X", "\u{2168}", "a\u{300}", "c2VjcmV0"].map { Array($0.utf8) }
        }
    }
}

/// A broken promise: libFuzzer keeps the input that led here.
func require(_ condition: Bool, _ promise: @autoclosure () -> String) {
    if condition { return }
    print(promise())
    fflush(nil)
    abort()
}
