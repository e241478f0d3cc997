/// The requests that this client makes, with their versions.
///
/// None has the compact types that later versions have: these are known to all brokers that there are, from Kafka 2.1 to
/// 4.x, Redpanda and Event Hubs among them.
package enum KafkaAPI: Int16, CaseIterable, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case saslHandshake = 17
    case apiVersions = 18
    case initProducerId = 22
    case offsetForLeaderEpoch = 23
    case saslAuthenticate = 36

    /// The versions that are written here, the best first.
    package var versions: [Int16] {
        switch self {
        case .produce: [7]
        case .fetch: [10, 6]
        case .listOffsets: [4, 2]
        case .metadata: [7, 5]
        case .saslHandshake: [1]
        case .apiVersions: [0]
        case .initProducerId: [1]
        case .offsetForLeaderEpoch: [3, 2]
        case .saslAuthenticate: [1, 0]
        }
    }

    package var name: String {
        switch self {
        case .produce: "Produce"
        case .fetch: "Fetch"
        case .listOffsets: "ListOffsets"
        case .metadata: "Metadata"
        case .saslHandshake: "SaslHandshake"
        case .apiVersions: "ApiVersions"
        case .initProducerId: "InitProducerId"
        case .offsetForLeaderEpoch: "OffsetForLeaderEpoch"
        case .saslAuthenticate: "SaslAuthenticate"
        }
    }
}
