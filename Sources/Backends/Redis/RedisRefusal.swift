import BroadcasterWire

/// What Redis would not take, or what nobody means, in words: for PUB/SUB and for streams alike.
enum RedisRefusal {
    /// The refusal of a channel's name of so many bytes. Redis would take an empty name; nobody means one.
    static func ofChannel(_ length: Int, _ options: CommonOptions) -> String? {
        if length == 0 { return "the channel's name is empty" }
        guard length > options.maximumMessageSize else { return nil }
        return "the channel's name has \(length) bytes"
    }

    static func ofPublishing(
        _ payload: Payload, to channel: String, _ options: CommonOptions
    ) -> String? {
        if let refusal = ofChannel(channel.utf8.count, options) { return refusal }
        let limit = options.maximumMessageSize
        guard payload.byteCount > limit else { return nil }
        return
            "a message has at most \(limit) bytes (max_message_size; Redis itself takes 512 MiB),"
            + " this one has \(payload.byteCount)"
    }
}
