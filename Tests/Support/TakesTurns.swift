package import Testing

/// Lets a few suites run at once, and the others wait.
///
/// A suite that starts servers wants a share of the machine. A hundred of them at once get so little of two cores each
/// that answers come minutes late, and tests fail that are right. The suite waits, and not its tests, whose time limits
/// count from their own beginnings.
package struct TakesTurns: SuiteTrait, TestScoping {
    private static let queue = TurnQueue(suitesAtOnce: 4)

    package func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? {
        test.isSuite && testCase == nil ? self : nil
    }

    package func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        await Self.queue.enter()
        do {
            try await function()
            await Self.queue.leave()
        } catch {
            await Self.queue.leave()
            throw error
        }
    }
}

extension Trait where Self == TakesTurns {
    /// Lets this suite wait until few others run.
    package static var takesTurns: Self { Self() }
}

/// The suites that wait, in the order in which they came.
private actor TurnQueue {
    private var free: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(suitesAtOnce: Int) {
        free = suitesAtOnce
    }

    func enter() async {
        guard free == 0 else {
            free -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
        if waiting.isEmpty {
            free += 1
        } else {
            waiting.removeFirst().resume()
        }
    }
}
