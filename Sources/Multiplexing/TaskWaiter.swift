/// A task that waits, to be resumed once.
///
/// In debug builds a `CheckedContinuation`, which traps where that is broken. In release builds an unsafe one: the layout
/// of the checked one is known at run time only, and copying whatever holds it was a third of what publishing
/// many messages took. Who owns a waiter takes it out under a lock before resuming it, in one place.
@safe struct TaskWaiter<Value: Sendable>: Sendable {
    #if DEBUG
        private let continuation: CheckedContinuation<Value, Never>

        /// Suspends the task, on the actor of its caller, until `body`'s waiter is resumed.
        static func wait(
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

        static func wait(
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
