/// A suspended task, to be resumed once.
///
/// In debug builds a `CheckedContinuation`, which traps if that is broken. In release builds an unsafe one: the
/// layout of the checked one is known at run time only, and copying its holders was a third of the cost of publishing
/// many messages. The owner of a waiter removes it under a lock before resuming it, in one place.
@safe struct TaskWaiter<Value: Sendable>: Sendable {
    /// Suspends the task, on the actor of its caller, until `body`'s waiter is resumed.
    static func wait(
        isolation: isolated (any Actor)?, _ body: (TaskWaiter) -> Void
    ) async -> Value {
        guard isolation === MainActor.shared else {
            return await suspend(isolation: isolation, body)
        }
        return await withTaskExecutorPreference(PassThroughExecutor.shared, isolation: isolation) {
            _ = isolation
            return await suspend(isolation: isolation, body)
        }
    }

    #if DEBUG
        private let continuation: CheckedContinuation<Value, Never>

        private static func suspend(
            isolation: isolated (any Actor)?, _ body: (TaskWaiter) -> Void
        ) async -> Value {
            await withCheckedContinuation(isolation: isolation) {
                body(TaskWaiter(continuation: $0))
            }
        }

        func resume(returning value: sending Value) {
            continuation.resume(returning: value)
        }
    #else
        private let continuation: UnsafeContinuation<Value, Never>

        private static func suspend(
            isolation: isolated (any Actor)?, _ body: (TaskWaiter) -> Void
        ) async -> Value {
            await unsafe withUnsafeContinuation(isolation: isolation) {
                unsafe body(TaskWaiter(continuation: $0))
            }
        }

        func resume(returning value: sending Value) {
            unsafe continuation.resume(returning: value)
        }
    #endif
}

/// Returns a resumed task straight to the main actor.
///
/// A continuation resumes its task on the pool's threads, whichever actor it waits on, and only from there it goes to
/// its actor (swift_continuation_init of Swift 6.3): two wake-ups of threads for each. A task that prefers this
/// executor while it waits takes that step on the thread that resumes it. Only for the main actor: the resuming
/// thread may enter another actor, and a subscriber's code would run on the event loop.
private final class PassThroughExecutor: TaskExecutor {
    static let shared = PassThroughExecutor()

    func enqueue(_ job: consuming ExecutorJob) {
        unsafe job.runSynchronously(on: asUnownedTaskExecutor())
    }
}
