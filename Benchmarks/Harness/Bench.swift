import BroadcasterTestSupport
import Glibc

/// The means of the workloads: the counts, the servers and the peers. Runs the measurements, and prints their tables.
final class Bench: Sendable {
    let options: BenchmarkOptions
    let peers: PeerPrograms
    /// The longest that a run may take; a program that waits for a lost message waits for ever.
    private static let patience: Duration = .seconds(240)

    init(_ options: BenchmarkOptions) async throws {
        self.options = options
        peers = try await PeerPrograms()
    }

    /// The library's own side of a measurement.
    func worker(_ name: String, count: Int, _ words: String...) -> Measurement.Subject {
        Measurement.Subject(
            name: name, words: [peers.worker] + words + ["count=\(count)"], count: count)
    }

    /// Runs every subject in turn, as often as the options say, so that other work of the machine affects all alike.
    @discardableResult
    func measure(_ measurement: Measurement) async throws -> Outcome {
        var samples: [String: [Sample]] = [:]
        for run in 1...options.runs {
            for subject in measurement.subjects where subject.missing == nil {
                progress("\(measurement.title): run \(run) of \(options.runs), \(subject.name)")
                let sample = try await sample(subject, in: measurement)
                samples[subject.name, default: []].append(sample)
            }
        }
        progress("")
        let outcome = Outcome(measurement: measurement, samples: samples)
        print(Table(outcome).text)
        fflush(nil)
        return outcome
    }

    private func sample(
        _ subject: Measurement.Subject, in measurement: Measurement
    ) async throws -> Sample {
        if let sampling = measurement.sampling { return try await sampling(subject) }
        return try await run(subject, title: measurement.title, feed: measurement.feed)
    }

    /// Runs a subject once in a process of its own.
    func run(
        _ subject: Measurement.Subject, title: String,
        feed: (@Sendable (Int) async throws -> Void)?
    ) async throws -> Sample {
        try await SubjectRun(subject, title: title, patience: Bench.patience).sample(feed: feed)
    }

    /// Prints a line on standard error, which the next one replaces on a terminal.
    func progress(_ text: String) {
        let isTerminal = isatty(STDERR_FILENO) == 1
        if !isTerminal, text.isEmpty { return }
        let line = isTerminal ? "\r\u{1b}[K\(text)" : "\(text)\n"
        _ = write(STDERR_FILENO, line, line.utf8.count)
    }
}
