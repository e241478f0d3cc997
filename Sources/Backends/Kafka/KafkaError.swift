/// An error code of a broker (`org.apache.kafka.common.protocol.Errors`).
package struct KafkaError: Hashable, Sendable, CustomStringConvertible {
    package let code: Int16

    package init(code: Int16) {
        self.code = code
    }

    package static let none = KafkaError(code: 0)
    static let offsetOutOfRange = KafkaError(code: 1)
    static let corruptMessage = KafkaError(code: 2)
    static let unknownTopic = KafkaError(code: 3)
    static let leaderNotAvailable = KafkaError(code: 5)
    static let notLeader = KafkaError(code: 6)
    static let messageTooLarge = KafkaError(code: 10)
    static let invalidTopic = KafkaError(code: 17)
    static let topicAuthorizationFailed = KafkaError(code: 29)
    static let unsupportedMechanism = KafkaError(code: 33)
    static let unsupportedVersion = KafkaError(code: 35)
    static let outOfOrderSequence = KafkaError(code: 45)
    static let duplicateSequence = KafkaError(code: 46)
    static let authenticationFailed = KafkaError(code: 58)
    static let fencedLeaderEpoch = KafkaError(code: 74)
    static let unknownLeaderEpoch = KafkaError(code: 75)

    package var isNone: Bool { code == 0 }

    /// The cluster has another leader, or none, than the metadata says: they are to be asked anew.
    package var isStaleMetadata: Bool {
        [3, 5, 6, 9, 56, 72, 74, 75, 100, 103].contains(code)
    }

    /// The name in Kafka's source, and the code.
    package var description: String {
        KafkaError.names[code].map { "\($0) (\(code))" } ?? "error \(code)"
    }

    private static let names: [Int16: String] = [
        -1: "UNKNOWN_SERVER_ERROR", 1: "OFFSET_OUT_OF_RANGE", 2: "CORRUPT_MESSAGE",
        3: "UNKNOWN_TOPIC_OR_PARTITION", 4: "INVALID_FETCH_SIZE", 5: "LEADER_NOT_AVAILABLE",
        6: "NOT_LEADER_OR_FOLLOWER", 7: "REQUEST_TIMED_OUT", 8: "BROKER_NOT_AVAILABLE",
        9: "REPLICA_NOT_AVAILABLE", 10: "MESSAGE_TOO_LARGE", 14: "COORDINATOR_LOAD_IN_PROGRESS",
        15: "COORDINATOR_NOT_AVAILABLE", 16: "NOT_COORDINATOR", 17: "INVALID_TOPIC_EXCEPTION",
        18: "RECORD_LIST_TOO_LARGE", 19: "NOT_ENOUGH_REPLICAS",
        20: "NOT_ENOUGH_REPLICAS_AFTER_APPEND", 21: "INVALID_REQUIRED_ACKS",
        29: "TOPIC_AUTHORIZATION_FAILED", 30: "GROUP_AUTHORIZATION_FAILED",
        31: "CLUSTER_AUTHORIZATION_FAILED", 32: "INVALID_TIMESTAMP",
        33: "UNSUPPORTED_SASL_MECHANISM", 34: "ILLEGAL_SASL_STATE", 35: "UNSUPPORTED_VERSION",
        36: "TOPIC_ALREADY_EXISTS", 41: "NOT_CONTROLLER", 42: "INVALID_REQUEST",
        43: "UNSUPPORTED_FOR_MESSAGE_FORMAT", 44: "POLICY_VIOLATION",
        45: "OUT_OF_ORDER_SEQUENCE_NUMBER", 46: "DUPLICATE_SEQUENCE_NUMBER",
        47: "INVALID_PRODUCER_EPOCH", 51: "CONCURRENT_TRANSACTIONS",
        53: "TRANSACTIONAL_ID_AUTHORIZATION_FAILED", 56: "KAFKA_STORAGE_ERROR",
        58: "SASL_AUTHENTICATION_FAILED", 59: "UNKNOWN_PRODUCER_ID",
        72: "LISTENER_NOT_FOUND", 74: "FENCED_LEADER_EPOCH", 75: "UNKNOWN_LEADER_EPOCH",
        76: "UNSUPPORTED_COMPRESSION_TYPE", 78: "OFFSET_NOT_AVAILABLE",
        87: "INVALID_RECORD", 89: "THROTTLING_QUOTA_EXCEEDED", 90: "PRODUCER_FENCED",
        100: "UNKNOWN_TOPIC_ID", 103: "INCONSISTENT_TOPIC_ID",
    ]
}
