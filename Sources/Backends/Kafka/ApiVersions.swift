package import BroadcasterWire

/// The versions that a broker knows of each request, and those that are spoken with it.
///
/// ApiVersions is asked in version 0, which all brokers know: Event Hubs resets the connection on one that it does not.
/// The highest version in common counts, and a range's lower end is never reasoned about: Kafka 4 names some that it
/// refuses.
package struct ApiVersions: Hashable, Sendable {
    package let error: KafkaError
    private var ranges: [Int16: ClosedRange<Int16>] = [:]

    package init(_ reader: inout FrameReader) throws(ProtocolError) {
        error = KafkaError(code: try reader.int16())
        let entries = try reader.array(ofAtLeast: 6) { (reader) throws(ProtocolError) in
            (key: try reader.int16(), least: try reader.int16(), most: try reader.int16())
        }
        for entry in entries where entry.least <= entry.most {
            ranges[entry.key] = entry.least...entry.most
        }
    }

    /// The version of `api` to speak; nil where there is none in common.
    package func version(of api: KafkaAPI) -> Int16? {
        guard let range = ranges[api.rawValue] else { return nil }
        return api.versions.first { range.contains($0) }
    }

    /// The reason, in words, for which this client cannot work with the broker; nil where it can.
    package var refusal: String? {
        let needed: [KafkaAPI] = [.produce, .fetch, .listOffsets, .metadata]
        guard let api = needed.first(where: { version(of: $0) == nil }) else { return nil }
        let mine = api.versions.map(String.init).joined(separator: " or ")
        let theirs =
            ranges[api.rawValue].map { "\($0.lowerBound) to \($0.upperBound)" } ?? "none"
        return "no version of \(api.name) in common: here is \(mine), the broker has \(theirs)"
    }

    /// The versions in use, for `ping`.
    package var summary: String {
        let spoken: [KafkaAPI] = [.produce, .fetch, .listOffsets, .metadata]
        return spoken.compactMap { api in version(of: api).map { "\(api.name) \($0)" } }
            .joined(separator: ", ")
    }
}
