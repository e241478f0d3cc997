import BroadcasterSockets
import BroadcasterWire
import Synchronization

/// An attempt to connect one lane: looks up the password, where there is a source of them, then connects.
final class LoginAttempt: Sendable {
    typealias Result = Swift.Result<any ByteStream, LaneFailure>

    private enum Step {
        /// A task has been, or will be, begun.
        case lookingUp(Task<Void, Never>?)
        case connecting(cancel: @Sendable () -> Void)
        case cancelled
    }

    private let endpoint: Endpoint
    private let deadline: Instant
    private let host: any RunnerHost
    /// Called once, on the host's executor.
    private let completion: @Sendable (PeerInfo, Result) -> Void
    private let step = Mutex(Step.lookingUp(nil))

    init(
        to endpoint: Endpoint, deadline: Instant, on host: any RunnerHost,
        completion: @escaping @Sendable (PeerInfo, Result) -> Void
    ) {
        self.endpoint = endpoint
        self.deadline = deadline
        self.host = host
        self.completion = completion
    }

    /// - Parameter passwords: nil connects at once.
    func start(_ passwords: PasswordSource?) {
        guard let passwords else { return connect(PeerInfo(endpoint: endpoint)) }
        let task = Task.detached { [self] in
            do {
                let peer = PeerInfo(endpoint: endpoint, password: try await passwords(endpoint))
                host.execute { self.connect(peer) }
            } catch {
                let text = "no password for \(endpoint): \(error)"
                host.execute { self.fail(.passwordMissing(text)) }
            }
        }
        let isCancelled = step.withLock { step in
            if case .lookingUp(nil) = step { step = .lookingUp(task) }
            if case .cancelled = step { return true }
            return false
        }
        if isCancelled { task.cancel() }
    }

    func cancel() {
        let last = step.withLock { step in
            defer { step = .cancelled }
            return step
        }
        switch last {
        case .lookingUp(let task): task?.cancel()
        case .connecting(let cancel): cancel()
        case .cancelled: break
        }
    }

    private var isCancelled: Bool {
        step.withLock { step in
            if case .cancelled = step { true } else { false }
        }
    }

    private func fail(_ failure: LaneFailure) {
        if !isCancelled { completion(PeerInfo(endpoint: endpoint), .failure(failure)) }
    }

    private func connect(_ peer: PeerInfo) {
        if isCancelled { return }
        let cancel = host.connect(to: endpoint, deadline: deadline) { [completion] result in
            completion(peer, result.mapError { .unreachable($0.description) })
        }
        let isCancelled = step.withLock { step in
            if case .cancelled = step { return true }
            step = .connecting(cancel: cancel)
            return false
        }
        if isCancelled { cancel() }
    }
}
