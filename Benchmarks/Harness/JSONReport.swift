import Glibc
import Synchronization

/// All outcomes, as JSON: every sample, medians and targets, to compare two commits.
final class JSONReport: Sendable {
    private let tables = Mutex<[String]>([])

    func add(_ outcome: Outcome) {
        tables.withLock { $0.append(JSONReport.table(outcome)) }
    }

    func write(to path: String) throws {
        guard let file = fopen(path, "w") else {
            throw BenchmarkError("cannot write \(path): \(String(cString: strerror(errno)))")
        }
        let text = tables.withLock { $0.joined(separator: ",\n") }
        fputs("[\n\(text)\n]\n", file)
        fclose(file)
    }

    private static func table(_ outcome: Outcome) -> String {
        let subjects = outcome.measurement.subjects.map { subject in
            let samples = (outcome.samples[subject.name] ?? []).map { sample in
                object(sample.values.sorted { $0.key < $1.key }.map { ($0.key, number($0.value)) })
            }
            let medians = outcome.measurement.metrics.map { metric in
                (metric.rawValue, number(outcome.median(metric, of: subject.name)))
            }
            return object([
                ("name", string(subject.name)), ("peer", "\(subject.isPeer)"),
                ("medians", object(medians)), ("samples", array(samples)),
            ])
        }
        let targets = outcome.measurement.targets.map { target in
            let value = outcome.value(for: target)
            return object([
                ("subject", string(target.subject)), ("metric", string(target.metric.rawValue)),
                ("bound", string(target.bound.rawValue)), ("limit", number(target.limit)),
                ("times", target.peer.map(string) ?? "null"), ("value", number(value)),
                ("met", value.map { "\(target.isMet(by: $0))" } ?? "null"),
            ])
        }
        return object([
            ("title", string(outcome.measurement.title)), ("subjects", array(subjects)),
            ("targets", array(targets)),
        ])
    }

    private static func object(_ pairs: [(String, String)]) -> String {
        "{" + pairs.map { "\(string($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
    }

    private static func array(_ items: [String]) -> String {
        "[" + items.joined(separator: ", ") + "]"
    }

    private static func number(_ value: Double?) -> String {
        guard let value, value.isFinite else { return "null" }
        return "\(value)"
    }

    /// Titles hold nothing that JSON escapes, but for quotes.
    private static func string(_ text: String) -> String {
        "\""
            + text.split(separator: "\"", omittingEmptySubsequences: false).joined(
                separator: "\\\"")
            + "\""
    }
}
