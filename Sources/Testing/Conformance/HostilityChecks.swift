import Broadcaster
internal import Synchronization

extension BackendConformance {
    /// Servers that send what no server should.
    static let hostility = [
        BackendConformance(10, "a server that sends nonsense is refused") { run in
            for bytes in nonsense {
                let hostile = try ScriptedServer { happening, client in
                    if case .closed = happening { return }
                    client.send(bytes)
                    client.close()
                }
                let broadcast = try run.broadcast(through: hostile.port) {
                    $0.connectTimeout = .seconds(1)
                }
                _ = try await failure(of: "connect, to \(bytes.prefix(8))") {
                    try await broadcast.connect()
                }
            }
        },
        BackendConformance(10, "damaged bytes end no program, and the connection heals") { run in
            let proxy = try run.proxy()
            let broadcast = try await run.connected(through: proxy.port) {
                $0.pingInterval = .seconds(1)
            }
            let publisher = try await run.connected()
            let channel = run.channel("c")
            let messages = try await broadcast.subscribe(to: channel)
            for distance in [7, 40, 300] {
                proxy.set { $0.damagesOneOf = distance }
                for number in 0..<50 { try await publisher.publish("\(number)", to: channel) }
            }
            proxy.set { $0 = FaultyProxy.Faults() }
            proxy.cut()
            // Whatever came meanwhile: damage to a text is not seen by any protocol of these.
            _ = try await run.words(of: messages, in: channel, from: publisher)
        },
        BackendConformance(11, "a server that repeats what it was sent brings no password to light")
        { run in
            guard let secret = run.subject.secret else { return }
            let said = Mutex<[String]>([])
            for answer in [Answer.repeated, .line, .none] {
                let hostile = try ScriptedServer { happening, client in
                    guard case .received(let bytes) = happening else { return }
                    switch answer {
                    case .repeated: client.send(bytes)
                    case .line: client.send(Array("-ERR ".utf8) + bytes + Array("\r\n".utf8))
                    case .none: break
                    }
                    client.close()
                }
                let broadcast = try run.broadcast(through: hostile.port) {
                    $0.connectTimeout = .seconds(1)
                    $0.log = { entry in said.withLock { $0.append("\(entry)") } }
                    $0.trace = { line in said.withLock { $0.append(line) } }
                }
                let error = try await failure(of: "connect") { try await broadcast.connect() }
                said.withLock { $0 += ["\(error)", String(describing: broadcast)] }
            }
            for text in said.withLock({ $0 }) where text.contains(secret: secret) {
                throw ConformanceFailure("a text shows the password: \(text)")
            }
        },
    ]

    private enum Answer {
        case repeated
        case line
        case none
    }

    private static let nonsense: [[UInt8]] = [
        [0], Array(repeating: 0xff, count: 100), Array(0...255),
        Array(repeating: 0x2a, count: 100_000), Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8),
    ]
}

extension String {
    /// True if `secret` stands in it.
    fileprivate func contains(secret: String) -> Bool {
        let (mine, other) = (Array(utf8), Array(secret.utf8))
        return mine.indices.contains { mine[$0...].starts(with: other) }
    }
}
