package import BroadcasterMultiplexing
internal import BroadcasterWire

/// Makes the driver that runs the sessions of a `Broadcast`, for each `connect()` a new one.
package typealias DriverMaker =
    @Sendable (Hub, Observers) throws(ConnectionFailure) -> any Driver

/// Returns a maker of drivers: over sockets where the backend has a server, inside the process where it has none.
func driverMaker(
    for backend: any Backend, _ common: CommonOptions, _ options: BroadcastOptions
) -> DriverMaker {
    let limits = ConnectionLimits(common, options)
    let passwords = passwordSource(options.password, backend)
    return { (hub, observers) throws(ConnectionFailure) in
        guard !backend.endpoints.isEmpty else {
            return LocalDriver(backend.makeSession(), hub: hub, observers: observers)
        }
        return try ServerDriver(
            backend, passwords: passwords, limits: limits, hub: hub, observers: observers)
    }
}

/// The program's own source of passwords; where it has none for a server, the backend's follows.
private func passwordSource(
    _ password: (@Sendable (ServerAddress) async throws -> String?)?, _ backend: any Backend
) -> PasswordSource? {
    guard let password else { return nil }
    let others = backend.passwords
    return { endpoint in
        if let found = try await password(ServerAddress(endpoint)) { return found }
        return try await others?(endpoint)
    }
}

extension ConnectionLimits {
    init(_ common: CommonOptions, _ options: BroadcastOptions) {
        self.init(
            connectTimeout: common.connectTimeout, publishTimeout: common.publishTimeout,
            answerTimeout: common.answerTimeout, waitsForServer: options.waitsForServer,
            shutdownTimeout: options.shutdownTimeout, unsentBytes: options.unsentBytes,
            unparsedBytes: options.unparsedBytes ?? common.maximumMessageSize + (2 << 20),
            longestRetryDelay: common.longestRetryDelay)
    }
}

extension CommonOptions {
    /// - Parameter messageSize: the longest message where the options do not say.
    init(_ options: BroadcastOptions, messageSize: Int) {
        self.init(
            connectTimeout: options.connectTimeout, publishTimeout: options.publishTimeout,
            pingInterval: options.pingInterval,
            maximumMessageSize: options.maximumMessageSize ?? messageSize,
            longestRetryDelay: options.longestRetryDelay)
    }
}
