import BroadcasterTestSupport
import Glibc
import Testing

@testable import BroadcasterSockets

struct DialerTests {
    private func dial(
        _ destination: Destination, within limit: Duration = .seconds(20)
    ) async throws -> Result<Socket, SocketError> {
        let loop = try EventLoop(name: "test")
        defer { loop.stop() }
        return await withCheckedContinuation { continuation in
            loop.execute {
                _ = Dialer(to: destination, on: loop, deadline: .now + limit) {
                    continuation.resume(returning: $0)
                }
            }
        }
    }

    private func listener(_ host: String) throws -> Listener {
        try Listener(at: try NameResolution.resolve(host: host, port: 0)[0])
    }

    @Test(arguments: ["127.0.0.1", "::1", "localhost"])
    func connectsByAddressAndByName(host: String) async throws {
        let listener = try listener(host == "::1" ? "::1" : "127.0.0.1")
        let result = try await dial(.host(host, port: listener.address.port))
        #expect(throws: Never.self) { try result.get() }
    }

    @Test func connectsToAUnixSocket() async throws {
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        let listener = try Listener(at: try SocketAddress(unixPath: folder + "/s"))
        let result = try await dial(.unix(path: folder + "/s"))
        #expect(throws: Never.self) { try result.get() }
        withExtendedLifetime(listener) {}
    }

    @Test func saysWhoRefused() async throws {
        let port = try listener("127.0.0.1").address.port
        let error = await #expect(throws: SocketError.self) {
            try await dial(.host("127.0.0.1", port: port)).get()
        }
        #expect(
            error?.description == "connect 127.0.0.1:\(port): Connection refused (ECONNREFUSED)")
    }

    @Test func saysWhatIsNotThere() async throws {
        let error = await #expect(throws: SocketError.self) {
            try await dial(.unix(path: "/nowhere/socket")).get()
        }
        #expect(
            error?.description == "connect /nowhere/socket: No such file or directory (ENOENT)")
    }

    @Test(arguments: ["", String(repeating: "x", count: 108)])
    func refusesPathsThatNoSocketHas(path: String) {
        #expect(throws: SocketError.self) { try SocketAddress(unixPath: path) }
    }

    /// A listener whose queue is full answers no client: it resembles a dead host, on loopback.
    @Test func givesUpAtTheDeadline() async throws {
        let silent = try Listener(
            at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0], backlog: 0)
        var held: [Socket] = []
        for _ in 0..<8 {
            let socket = try Socket(family: AF_INET)
            _ = try socket.connect(to: silent.address)
            held.append(socket)
        }
        let error = await #expect(throws: SocketError.self) {
            try await dial(
                .host("127.0.0.1", port: silent.address.port), within: .milliseconds(50)
            ).get()
        }
        #expect(error?.description.contains("no answer before the deadline") == true)
        withExtendedLifetime(held) {}
    }

    /// RFC 8305: the dialer tries the next address after 250 ms, and not after the first one's minutes.
    @Test func aDeadFirstAddressDoesNotHoldUpTheSecond() async throws {
        let dead = try Listener(
            at: try NameResolution.resolve(host: "127.0.0.1", port: 0)[0], backlog: 0)
        var held: [Socket] = []
        for _ in 0..<8 {
            let socket = try Socket(family: AF_INET)
            _ = try socket.connect(to: dead.address)
            held.append(socket)
        }
        let alive = try listener("127.0.0.1")
        let loop = try EventLoop(name: "test")
        defer { loop.stop() }
        let addresses = [dead.address, alive.address]
        let result: Result<Socket, SocketError> = await withCheckedContinuation { continuation in
            loop.execute {
                _ = Dialer(
                    to: .host("two.example", port: 1), on: loop, deadline: .now + .seconds(60),
                    resolver: { _, _, found in found(.success(addresses)) },
                    completion: { continuation.resume(returning: $0) })
            }
        }
        #expect(throws: Never.self) { try result.get() }
        #expect(try alive.accept() != nil)
        withExtendedLifetime(held) {}
    }

    @Test func familiesAreTriedByTurns() throws {
        let four = try NameResolution.resolve(host: "127.0.0.1", port: 1)[0]
        let other = try NameResolution.resolve(host: "127.0.0.2", port: 1)[0]
        let six = try NameResolution.resolve(host: "::1", port: 1)[0]
        #expect(NameResolution.interleaved([six, four, other]) == [six, four, other])
        #expect(NameResolution.interleaved([four, other, six]) == [four, six, other])
        #expect(NameResolution.interleaved([]) == [])
    }

    @Test func theSecondAddressIsTriedWhenTheFirstRefuses() async throws {
        // `localhost` is ::1 and 127.0.0.1 on most machines; this test listens on the latter alone.
        let listener = try listener("127.0.0.1")
        let result = try await dial(.host("localhost", port: listener.address.port))
        #expect(throws: Never.self) { try result.get() }
    }

    @Test func anUnknownNameIsAnErrorThatNamesIt() async throws {
        let error = await #expect(throws: SocketError.self) {
            try await dial(.host("no-such-host.invalid", port: 1)).get()
        }
        #expect(error?.description.contains("no-such-host.invalid") == true)
    }

    @Test func socketsAreNotInherited() throws {
        let socket = try Socket(family: AF_INET)
        #expect(fcntl(socket.number, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(socket.number, F_GETFL) & O_NONBLOCK != 0)
    }
}
