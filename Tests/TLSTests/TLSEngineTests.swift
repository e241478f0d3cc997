import BroadcasterTestSupport
import BroadcasterWire
import Glibc
import Testing

@testable import BroadcasterTLS

/// The engine against `openssl s_server`, which sends each line back with its bytes reversed.
@Suite(
    .enabled(if: Certificates.areAvailable, "needs openssl and faketime"), .serialized,
    .timeLimit(.minutes(1)))
struct TLSEngineTests {
    private static let contexts = TLSContexts { _ in nil }

    /// A blocking connection with an engine, fed by pieces of `slice` bytes.
    private final class Client {
        let engine: TLSEngine
        private let descriptor: Int32
        private let slice: Int

        init(_ client: TLSClient, port: UInt16, slice: Int) throws {
            engine = try client.connect()
            self.slice = slice
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            _ = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, size)
                }
            }
        }

        deinit { close(descriptor) }

        private func flush() {
            var output: [UInt8] = []
            engine.takeOutput(to: &output)
            if !output.isEmpty { _ = send(descriptor, output, output.count, 0) }
        }

        private func receive() {
            var bytes = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            if count <= 0 { return engine.end() }
            for start in stride(from: 0, to: count, by: slice) {
                engine.receive(Array(bytes[start..<min(start + slice, count)]))
            }
        }

        func handshake() throws -> LaneSecurity {
            while true {
                defer { flush() }
                if let security = try engine.handshake() { return security }
                flush()
                receive()
            }
        }

        /// Sends a line, and returns what comes back.
        func exchange(_ line: String) throws -> String {
            _ = try engine.write(Array("\(line)\n".utf8), from: 0)
            flush()
            return try self.line()
        }

        func line() throws(TLSError) -> String {
            var bytes: [UInt8] = []
            while bytes.last != UInt8(ascii: "\n") {
                receive()
                let isOpen = try engine.read(to: &bytes)
                flush()
                if !isOpen { return "closed" }
            }
            return String(decoding: bytes.dropLast(), as: UTF8.self)
        }

        func close() {
            engine.close()
            flush()
        }

        private func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }
    }

    private func server(_ words: String...) async throws -> (ServerProcess, UInt16) {
        let process = try ServerProcess(
            [
                "openssl", "s_server", "-accept", "127.0.0.1:0", "-rev", "-cert",
                Certificates.certificate("good"), "-key", Certificates.key("good"),
            ] + words)
        let line = await process.line(containing: "ACCEPT ") ?? ""
        let port = line.split(separator: ":").last.flatMap { UInt16($0) }
        return (process, try #require(port))
    }

    private func client(
        _ port: UInt16, slice: Int = 65_536, change: (inout TLSOptions) -> Void = { _ in }
    ) throws -> Client {
        var options = TLSOptions()
        options.authorityFile = Certificates.certificate("ca")
        change(&options)
        let endpoint = Endpoint.tcp(host: "localhost", port: port)
        return try Client(
            try Self.contexts.client(to: endpoint, options), port: port, slice: slice)
    }

    @Test(arguments: [1, 5, 65_536], ["-tls1_2", "-tls1_3"])
    func piecesOfAnySizeDo(slice: Int, version: String) async throws {
        let (process, port) = try await server(version)
        defer { process.signal(SIGKILL) }
        let client = try client(port, slice: slice)
        let security = try client.handshake()
        #expect(security.version == (version == "-tls1_2" ? "TLSv1.2" : "TLSv1.3"))
        #expect(security.subject == "CN=localhost")
        #expect(security.verification == .full && security.warning == nil)
        guard case .endPoint(let digest) = security.binding else {
            Issue.record("nothing to bind to")
            return
        }
        #expect(digest.count == 32)
        #expect(try client.exchange("hello") == "olleh")
        client.close()
    }

    /// The second connection needs no new exchange of keys; the third has a session of its own again.
    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func aSessionIsResumed(version: String) async throws {
        let (process, port) = try await server(version)
        defer { process.signal(SIGKILL) }
        var resumed: [Bool] = []
        for _ in 0..<3 {
            let client = try client(port)
            let security = try client.handshake()
            resumed.append(security.isResumed)
            #expect(security.subject == "CN=localhost", "also of one that is resumed")
            #expect(try client.exchange("ab") == "ba")
            client.close()
        }
        #expect(resumed == [false, true, true])
    }

    @Test func aChosenProtocolIsDemanded() async throws {
        let (process, port) = try await server("-alpn", "postgresql")
        defer { process.signal(SIGKILL) }
        _ = try client(port) { $0.applicationProtocol = "postgresql" }.handshake()
        let other = try client(port) { $0.applicationProtocol = "amqp" }
        let error = #expect(throws: TLSError.self) { _ = try other.handshake() }
        #expect(error?.description.containsBytes("does not offer amqp") == true)
    }

    @Test func aProtocolThatTheServerPassesOverIsNotOffered() async throws {
        let (process, port) = try await server()
        defer { process.signal(SIGKILL) }
        let client = try client(port) { $0.applicationProtocol = "postgresql" }
        let error = #expect(throws: TLSError.self) { _ = try client.handshake() }
        #expect(error?.description == "the server does not offer postgresql over TLS (ALPN)")
    }

    @Test func versionsAreBounded() async throws {
        let (process, port) = try await server("-tls1_2")
        defer { process.signal(SIGKILL) }
        let client = try client(port) { $0.minimumVersion = .tls13 }
        let error = #expect(throws: TLSError.self) { _ = try client.handshake() }
        #expect(error?.description == "the server speaks no TLS version ≥ 1.3")
        #expect(error?.kind == .refused)
    }

    /// A server that wants new keys by a whole new handshake, as TLS 1.2 has it, goes on without; or it ends the connection,
    /// as OpenSSL's does when it next writes, and then that is a loss as any other.
    @Test func aRenegotiationIsNotFollowed() async throws {
        let process = try ServerProcess([
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2", "-cert",
            Certificates.certificate("good"), "-key", Certificates.key("good"),
        ])
        defer { process.signal(SIGKILL) }
        let line = await process.line(containing: "ACCEPT ") ?? ""
        let port = try #require(line.split(separator: ":").last.flatMap { UInt16($0) })
        let client = try client(port)
        _ = try client.handshake()
        process.write("r\n")
        process.write("hello\n")
        do throws(TLSError) {
            #expect(try client.line() == "hello")
        } catch {
            #expect(error.kind == .lost, "\(error)")
        }
    }

    /// The name of the server goes out in clear text, and an address does not (SNI).
    @Test(arguments: [
        ("localhost", true, true), ("localhost", false, false), ("127.0.0.1", true, false),
    ])
    func theNameIsToldAsWished(name: String, isWished: Bool, isTold: Bool) throws {
        var options = TLSOptions()
        options.authorityFile = Certificates.certificate("ca")
        options.serverName = name
        options.sendsServerName = isWished
        let endpoint = Endpoint.tcp(host: "ignored", port: 1)
        let engine = try Self.contexts.client(to: endpoint, options).connect()
        _ = try engine.handshake()
        var hello: [UInt8] = []
        engine.takeOutput(to: &hello)
        #expect(hello.first == 0x16)
        #expect(String(decoding: hello, as: UTF8.self).containsBytes("localhost") == isTold)
        #expect(!String(decoding: hello, as: UTF8.self).containsBytes("127.0.0.1"))
    }

    @Test func aChangedFileMakesANewContext() throws {
        let stamp = Stamp()
        let contexts = TLSContexts { _ in stamp.value }
        var options = TLSOptions()
        options.authorityFile = Certificates.certificate("ca")
        func context() throws -> ObjectIdentifier {
            let endpoint = Endpoint.tcp(host: "h", port: 1)
            return ObjectIdentifier(try contexts.client(to: endpoint, options).context)
        }
        let first = try context()
        #expect(try context() == first)
        stamp.value = 2
        #expect(try context() != first)
    }
}

private final class Stamp: @unchecked Sendable {
    var value = 1
}
