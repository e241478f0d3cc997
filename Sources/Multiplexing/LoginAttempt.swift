import BroadcasterSockets
import BroadcasterTLS
import BroadcasterWire
import Synchronization

/// An attempt to connect one lane: looks up the password, where there is a source of them, and reads the files of its
/// security, where it is to have one; then connects.
final class LoginAttempt: Sendable {
    struct Connection: Sendable {
        let stream: any ByteStream
        /// nil: the lane is not to be secured.
        let client: TLSClient?
    }

    typealias Result = Swift.Result<Connection, LaneFailure>
    typealias ClientMaker = @Sendable () throws(LaneFailure) -> TLSClient

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

    /// With neither of the two, it connects at once.
    func start(_ passwords: PasswordSource?, _ security: ClientMaker?) {
        guard passwords != nil || security != nil else {
            return connect(PeerInfo(endpoint: endpoint), nil)
        }
        let task = Task.detached { [self] in
            do throws(LaneFailure) {
                let client = try security?()
                let peer = PeerInfo(endpoint: endpoint, password: try await lookUp(passwords))
                host.execute { self.connect(peer, client) }
            } catch {
                host.execute { self.fail(error) }
            }
        }
        let isCancelled = step.withLock { step in
            if case .lookingUp(nil) = step { step = .lookingUp(task) }
            if case .cancelled = step { return true }
            return false
        }
        if isCancelled { task.cancel() }
    }

    private func lookUp(_ passwords: PasswordSource?) async throws(LaneFailure) -> String? {
        do {
            return try await passwords?(endpoint)
        } catch {
            throw .passwordMissing("no password for \(endpoint): \(error)")
        }
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

    private func connect(_ peer: PeerInfo, _ client: TLSClient?) {
        if isCancelled { return }
        let cancel = host.connect(to: endpoint, deadline: deadline) { [completion] result in
            let connection = result.map { Connection(stream: $0, client: client) }
            completion(peer, connection.mapError { .unreachable($0.description) })
        }
        let isCancelled = step.withLock { step in
            if case .cancelled = step { return true }
            step = .connecting(cancel: cancel)
            return false
        }
        if isCancelled { cancel() }
    }
}
