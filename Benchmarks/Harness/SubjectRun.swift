import BroadcasterTestSupport
import Glibc

/// One run of a measured program, in a process of its own: waits until it is ready, has it fed, and takes the line
/// that it prints.
struct SubjectRun {
    private let subject: Measurement.Subject
    private let title: String
    private let patience: Duration

    init(_ subject: Measurement.Subject, title: String, patience: Duration) {
        self.subject = subject
        self.title = title
        self.patience = patience
    }

    func sample(feed: (@Sendable (Int) async throws -> Void)?) async throws -> Sample {
        let process = try Children.start(subject.words)
        defer { Children.forget(process) }
        let watchdog = Task {
            try await Task.sleep(for: patience)
            process.signal(SIGKILL)
        }
        defer { watchdog.cancel() }
        var said: [String] = []
        var sample: Sample?
        for await line in process.lines {
            if let found = Sample(line) {
                sample = found
            } else if line == "ready" {
                try await feed?(subject.count)
            } else {
                said.append(line)
            }
        }
        let status = await process.waitForExit()
        guard status == 0, let sample else { throw failure(status, said) }
        return sample
    }

    /// The failure of a run: a figure of work that did not happen as it should is worse than none.
    private func failure(_ status: Int32, _ said: [String]) -> BenchmarkError {
        let reason =
            status == 128 + SIGKILL
            ? "killed after \(patience): a message must have been lost" : "exit status \(status)"
        return BenchmarkError(
            "\(title), \(subject.name): \(reason)\n\(said.suffix(5).joined(separator: "\n"))\n"
                + "run it yourself: \(subject.words.joined(separator: " "))")
    }
}

/// The reason why there are no figures.
struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
