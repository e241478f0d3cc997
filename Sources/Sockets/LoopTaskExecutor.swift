/// The event loop's thread as an executor of tasks: a task that runs there needs no change of thread to receive what
/// a socket brings, nor to send.
package final class LoopTaskExecutor: TaskExecutor {
    private let loop: EventLoop

    package init(_ loop: EventLoop) {
        self.loop = loop
    }

    /// Runs a job on the loop. After the loop's stop its tasks go on where those without a preference run.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !loop.enqueue(job, of: self) { globalConcurrentExecutor.enqueue(job) }
    }
}
