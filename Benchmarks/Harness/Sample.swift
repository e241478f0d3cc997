/// The report of one run of one subject.
struct Sample: Sendable {
    let values: [String: Double]

    init(values: [String: Double]) {
        self.values = values
    }

    /// Parses a line of `key=value`; nil if it is none.
    init?(_ line: String) {
        guard line.hasPrefix("messages=") else { return nil }
        var values: [String: Double] = [:]
        for word in line.split(separator: " ") {
            let parts = word.split(separator: "=")
            guard parts.count == 2, let number = Double(parts[1]) else { return nil }
            values[String(parts[0])] = number
        }
        self.values = values
    }

    subscript(key: String) -> Double? { values[key] }
}

/// A figure of a sample.
enum Metric: String, Sendable {
    case cpuPerMessage = "CPU µs/msg"
    case rate = "msg/s"
    case peak = "peak MB"
    case median = "p50 µs"
    case tail = "p99 µs"
    case subscribing = "subscribe s"
    case subscriptionSize = "bytes/subscription"
    case nanoseconds = "ns each"
    case milliseconds = "ms"
    case instructions = "instructions/msg"
    case megabytes = "MB"
    case seconds = "s"

    func value(of sample: Sample) -> Double? {
        let messages = sample["messages"] ?? 1
        return switch self {
        case .cpuPerMessage: sample["cpu_us"].map { $0 / messages }
        case .rate: sample["seconds"].map { messages / $0 }
        case .peak: sample["peak_kb"].map { $0 / 1024 }
        case .median: sample["p50_us"]
        case .tail: sample["p99_us"]
        case .subscribing: sample["subscribe_s"]
        case .subscriptionSize: sample["bytes_per_subscription"]
        case .nanoseconds: sample["cpu_us"].map { $0 * 1000 / messages }
        case .milliseconds: sample["milliseconds"]
        case .instructions: sample["instructions"]
        case .megabytes: sample["megabytes"]
        case .seconds: sample["seconds"]
        }
    }
}
