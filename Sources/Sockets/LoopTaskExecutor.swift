/// The event loop's thread for tasks: one that runs there need not change threads to be woken by what a socket
/// brings, nor to have something sent.
package final class LoopTaskExecutor: TaskExecutor {
    private let loop: EventLoop

    package init(_ loop: EventLoop) {
        self.loop = loop
    }

    /// After the loop's stop its tasks go on where those without a preference run.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if !loop.enqueue(job, of: self) { globalConcurrentExecutor.enqueue(job) }
    }
}
