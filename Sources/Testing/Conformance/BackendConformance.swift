import Broadcaster

/// A promise that every backend keeps, as a check: for the tests of whoever writes a backend.
///
/// The checks make connections, lose them, and count what arrives. Each gets channels of its own, so they may run at the same
/// time and on a server that others use. A check that finds a promise broken throws a ``ConformanceFailure``, which says in
/// words what was expected and what came.
///
/// ```swift
/// let subject = ConformanceSubject(serverPort: 6379) { port, options in
///     try Broadcast("redis://127.0.0.1:\(port)", options: options)
/// }
/// for promise in BackendConformance.everywhere + BackendConformance.overANetwork {
///     try await promise.check(on: subject)
/// }
/// ```
///
/// The numbers are those of the README.
public struct BackendConformance: Sendable, CustomStringConvertible {
    /// The promise that is checked, by its number in the README.
    public let promise: Int
    /// The check in words, such as `a batch arrives whole and in order`.
    public let description: String
    private let body: @Sendable (ConformanceRun) async throws -> Void

    init(
        _ promise: Int, _ description: String,
        _ body: @escaping @Sendable (ConformanceRun) async throws -> Void
    ) {
        self.promise = promise
        self.description = description
        self.body = body
    }

    /// Makes the check.
    ///
    /// - Throws: a ``ConformanceFailure`` if the promise is broken; `BroadcastError` where a call fails that must not.
    public func check(on subject: ConformanceSubject) async throws {
        let run = ConformanceRun(subject)
        do {
            try await body(run)
        } catch let failure as ConformanceFailure {
            await run.end()
            throw ConformanceFailure("\(description): \(failure)")
        } catch {
            await run.end()
            throw ConformanceFailure("\(description): \(error)")
        }
        await run.end()
    }

    /// What a backend does with or without a server.
    public static let everywhere = life + cancellation + delivery + membership

    /// What a backend does when its connection is bad: needs a subject with a server.
    public static let overANetwork = outages + publishing + hostility

    /// What a backend does that keeps the channels' messages.
    public static let withHistory = history
}

/// A promise that was broken, in words.
public struct ConformanceFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was expected, and what came.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
