internal import BroadcasterKafka
internal import BroadcasterMemory
internal import BroadcasterPostgres
internal import BroadcasterRabbitMQ
internal import BroadcasterRedis
internal import BroadcasterSockets
internal import BroadcasterWire

/// The backends that URLs lead to. A new backend is a word here.
enum StandardBackends {
    private static let all: [any URLBackend.Type] = [
        MemoryBackend.self, RedisBackend.self, RedisStreamBackend.self, SentinelBackend.self,
        ClusterBackend.self, PostgresBackend.self, RabbitMQBackend.self, KafkaBackend.self,
    ]

    /// The backend of `memory://`.
    static func memory(maximumMessageSize: Int) -> any Backend {
        MemoryBackend(maximumMessageSize: maximumMessageSize)
    }

    static let memoryMessageSize = MemoryBackend.messageSize

    private static let environment = ServerEnvironment(
        variable: { SystemFiles.variable($0) },
        file: { path in
            SystemFiles.read(path).map {
                ServerEnvironment.File(text: $0.text, permissions: $0.permissions)
            }
        }, userName: SystemFiles.userName, time: { SystemFiles.time },
        order: { (0..<$0).shuffled() })

    /// The backend for a URL, and the options with what the URL says of them.
    ///
    /// - Parameter others: backends from outside, which are asked first.
    static func backend(
        for text: String, before others: [any URLBackend.Type], options: BroadcastOptions
    ) throws(ServerURLError) -> (any Backend, CommonOptions) {
        var url = try ServerURL(text)
        let all = others + all
        guard let backend = all.first(where: { $0.schemes.contains(url.scheme) }) else {
            let known = all.flatMap { $0.schemes }.map { "\($0)://" }.joined(separator: ", ")
            throw ServerURLError("unknown scheme \(url.show(url.scheme)); known are \(known)")
        }
        var common = CommonOptions(options, messageSize: backend.messageSize)
        try backend.adjust(&common, by: environment)
        try backend.adjust(&common, by: &url.options)
        try common.take(from: &url.options)
        return (try backend.init(url, options: common, environment: environment), common)
    }
}
