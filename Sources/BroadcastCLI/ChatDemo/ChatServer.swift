package import Broadcaster
import BroadcasterSockets
import Synchronization

/// The web chat: HTTP and WebSocket for its page, on this package's own sockets.
///
/// One event loop serves all clients. Each client has a subscription of its own, so a slow one has its own buffer and
/// its own gaps, and delays no other.
package final class ChatServer: Sendable {
    private struct State {
        var clients: [Int: ChatClient] = [:]
        var lastClient = 0
        var registration: EventLoop.Registration?
        var isStopping = false
        var waitingForEnd: CheckedContinuation<Void, Never>?
    }

    private let broadcast: Broadcast
    private let loop: EventLoop
    private let listener: Listener
    private let names: ServedNames
    private let state = Mutex(State())

    /// Listens at once. With port 0 the kernel chooses; see `address`.
    ///
    /// - Parameter names: further names by which browsers may ask for the chat, beside `host`; see `ServedNames`.
    package init(
        _ broadcast: Broadcast, host: String, port: UInt16, names: [String] = []
    ) throws {
        self.broadcast = broadcast
        self.names = ServedNames(names + [host])
        // Each client takes a descriptor.
        FileDescriptor.raiseLimit()
        let addresses = try NameResolution.resolve(host: host, port: port)
        guard let address = addresses.first else {
            throw SocketError("look up \(host): no address")
        }
        listener = try Listener(at: address)
        loop = try EventLoop(name: "chat")
        watchListener()
    }

    deinit {
        loop.stop()
    }

    /// The address to open in a browser.
    package var address: String { "http://\(listener.address)/" }

    /// Reports the connection to the server to every client, until the task is cancelled; then ends all.
    package func run() async {
        for await status in broadcast.statuses {
            switch status {
            case .ready: await tell(.status("ready"))
            case .down: await tell(.status("down"))
            case .connecting, .closed: break
            }
        }
        await stop()
    }

    private func tell(_ event: ChatEvent) async {
        let frame = WebSocketEncoder.text(event.json)
        for client in state.withLock({ Array($0.clients.values) }) {
            await client.tell(frame)
        }
    }

    /// Closes every WebSocket with 1001 and waits up to 300 ms for unsent bytes.
    private func stop() async {
        let (clients, registration) = state.withLock { state in
            state.isStopping = true
            return (Array(state.clients.values), state.registration.take())
        }
        if let registration { loop.unwatch(registration) }
        for client in clients { await client.close(1001, "the server ends") }
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if !state.clients.isEmpty { state.waitingForEnd = continuation }
                return state.clients.isEmpty
            }
            if isEmpty { return continuation.resume() }
            _ = loop.schedule(at: .now + .milliseconds(300)) { [self] in resumeStop() }
        }
    }

    private func resumeStop() {
        state.withLock { $0.waitingForEnd.take() }?.resume()
    }

    // MARK: Clients

    private func watchListener() {
        guard !state.withLock({ $0.isStopping }) else { return }
        let registration = try? loop.watch(listener.watched, for: .readable) { [weak self] _ in
            self?.accept()
        }
        state.withLock { $0.registration = registration }
    }

    private func accept() {
        do throws(SocketError) {
            while let socket = try listener.accept() { add(socket) }
        } catch {
            // No descriptor is free: waiting clients stay in the backlog. Without a pause the loop would spin.
            if let registration = state.withLock({ $0.registration.take() }) {
                loop.unwatch(registration)
            }
            _ = loop.schedule(at: .now + .milliseconds(200)) { [weak self] in
                self?.watchListener()
            }
        }
    }

    private func add(_ socket: Socket) {
        let number = state.withLock { state in
            state.lastClient += 1
            return state.lastClient
        }
        let client = ChatClient(
            socket, on: loop,
            route: { [weak self] in self?.route($0, $1) },
            ended: { [weak self] in self?.remove(number) })
        state.withLock { $0.clients[number] = client }
        client.assumeIsolated { $0.start() }
    }

    private func remove(_ number: Int) {
        let isLast = state.withLock { state in
            state.clients[number] = nil
            return state.clients.isEmpty
        }
        if isLast { resumeStop() }
    }

    // MARK: Requests

    private func route(_ client: ChatClient, _ request: HTTPRequest) {
        do throws(HTTPError) {
            if let host = request.headers["host"], !names.contains(host) {
                return client.assumeIsolated {
                    $0.answer(
                        HTTPResponse.error(
                            .forbidden, "this name is not served here; --allow-host names it"))
                }
            }
            let parts = request.path.split(
                separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
            switch (parts.dropFirst().first.map(String.init), parts.dropFirst(2).first) {
            case ("", nil), ("room", .some): try servePage(client, request)
            case ("ws", let name?): try serveWebSocket(client, request, try room(name))
            case ("events", let name?): try serveEvents(client, request, try room(name))
            case ("publish", let name?): try servePublish(client, request, try room(name))
            default: throw .notFound
            }
        } catch {
            client.assumeIsolated { $0.answer(HTTPResponse.error(error)) }
        }
    }

    private func room(_ name: Substring) throws(HTTPError) -> ChatRoom {
        guard (1...200).contains(name.utf8.count) else { throw .notFound }
        return ChatRoom(name: String(name), broadcast: broadcast)
    }

    private func servePage(_ client: ChatClient, _ request: HTTPRequest) throws(HTTPError) {
        guard request.method != "POST" else { throw .methodNotAllowed }
        let page = HTTPResponse.whole(
            200, "OK", type: "text/html; charset=utf-8", body: Array(ChatPage.html.utf8),
            isHead: request.method == "HEAD")
        client.assumeIsolated { $0.answer(page) }
    }

    private func serveWebSocket(
        _ client: ChatClient, _ request: HTTPRequest, _ room: ChatRoom
    ) throws(HTTPError) {
        let accept = try WebSocketHandshake.accept(request)
        guard request.isSameOrigin else { throw .forbidden }
        let person = String((request.query["name"] ?? "somebody").prefix(40))
        client.assumeIsolated {
            $0.upgrade(HTTPResponse.switchingToWebSocket(accept: accept))
        }
        let last = request.query["after"]
        Task { await room.join(client, as: person, after: last) }
    }

    private func serveEvents(
        _ client: ChatClient, _ request: HTTPRequest, _ room: ChatRoom
    ) throws(HTTPError) {
        guard request.method == "GET" else { throw .methodNotAllowed }
        guard request.isSameOrigin else { throw .forbidden }
        let last = request.headers["last-event-id"]
        Task { await room.watch(client, lastEventID: last) }
    }

    private func servePublish(
        _ client: ChatClient, _ request: HTTPRequest, _ room: ChatRoom
    ) throws(HTTPError) {
        guard request.method == "POST" else { throw .methodNotAllowed }
        guard request.isSameOrigin else { throw .forbidden }
        Task {
            do {
                let receipt = try await room.broadcast.publish(request.body, to: room.name)
                var line = JSONLine(type: "published")
                line.add("channel", room.name)
                line.add("receivers", receipt.receivers)
                if let position = receipt.position {
                    line.add("position", position.description)
                }
                await client.answer(
                    HTTPResponse.whole(
                        200, "OK", type: "application/json", body: Array((line.line + "\n").utf8)))
            } catch {
                await client.answer(HTTPResponse.error(.unavailable, "\(error)"))
            }
        }
    }
}
