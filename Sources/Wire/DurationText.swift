extension Duration {
    /// The time as a person writes it, to three digits or so: `50 ms`, `1.25 s`, `2 min 5 s`, `3 h 20 min`.
    package var text: String {
        if self < .zero { return "-" + (Duration.zero - self).text }
        let parts = components
        // Not at once in milliseconds: a duration may be longer than 2^63 of them.
        let milliseconds = parts.attoseconds / 1_000_000_000_000_000
        switch parts.seconds {
        case 0 where milliseconds == 0:
            let microseconds = parts.attoseconds / 1_000_000_000_000
            return microseconds == 0 ? "0 s" : "\(microseconds) µs"
        case 0: return "\(milliseconds) ms"
        case ..<10: return Duration.decimal(parts.seconds, hundredths: milliseconds / 10) + " s"
        case ..<60:
            return Duration.decimal(parts.seconds, hundredths: milliseconds / 100 * 10) + " s"
        case ..<3600: return Duration.pair(parts.seconds, 60, "min", 1, "s")
        default: return Duration.pair(parts.seconds, 3600, "h", 60, "min")
        }
    }

    private static func decimal(_ seconds: Int64, hundredths: Int64) -> String {
        switch hundredths {
        case 0: "\(seconds)"
        case let tenths where tenths % 10 == 0: "\(seconds).\(tenths / 10)"
        case ..<10: "\(seconds).0\(hundredths)"
        default: "\(seconds).\(hundredths)"
        }
    }

    private static func pair(
        _ seconds: Int64, _ large: Int64, _ largeName: String, _ small: Int64, _ smallName: String
    ) -> String {
        let rest = seconds % large / small
        return "\(seconds / large) \(largeName)" + (rest == 0 ? "" : " \(rest) \(smallName)")
    }
}
