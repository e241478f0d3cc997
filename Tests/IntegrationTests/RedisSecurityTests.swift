import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// `rediss://` against a real redis-server with a certificate of the tests' own authority.
@Suite(
    .takesTurns,
    .enabled(
        if: Programs.areAvailable(Programs.redis, Programs.redisCLI) && Certificates.areAvailable,
        "needs redis-server, openssl and faketime"),
    .timeLimit(.minutes(5)))
struct RedisSecurityTests {
    private static let authority = "ssl_ca_certs=\(Certificates.certificate("ca"))"
    private static let patience = "connect_timeout=60s&publish_timeout=60s"

    private func url(
        _ port: UInt16, host: String = "localhost", _ query: String = authority
    ) -> String {
        "rediss://\(host):\(port)?\(query)"
    }

    private func failure(_ url: String) async -> String {
        do {
            try await withBroadcast(url.patient) { _ in }
            return "none"
        } catch {
            return "\(error)"
        }
    }

    // MARK: What works

    @Test(arguments: [
        ("good", "localhost", "protocol=3"), ("good", "127.0.0.1", "protocol=2"),
        ("address", "127.0.0.1", "protocol=3"), ("chain", "localhost", "protocol=3"),
        ("wrong", "localhost", "ssl_server_name=a.example.com"),
        ("wrong", "localhost", "ssl_check_hostname=false"),
        ("good", "localhost", "ssl_min_version=772"),
    ])
    func messagesPass(certificate: String, host: String, query: String) async throws {
        let server = try await RedisServer(certificate: certificate)
        let text = url(server.securePort, host: host, "\(Self.authority)&\(query)")
        try await withBroadcast("\(text)&\(Self.patience)") { broadcast in
            guard case .ready(let info) = broadcast.status else { return }
            #expect(info.security?.version == "TLSv1.3")
            #expect(info.security?.isVerified == true)
            let subscription = try await broadcast.subscribe(to: "chat")
            var sight = Sight(subscription)
            // Longer than a record, in both directions.
            let long = String(repeating: "x", count: 300_000)
            for payload in ["hello", long, ""] {
                #expect(try await broadcast.publish(payload, to: "chat").receivers == 1)
                #expect(try await sight.next() == payload)
            }
        }
    }

    /// A folder as `openssl rehash` makes it, the certificate itself, and PEM in the URL.
    @Test func anAuthorityMayBeGivenInOtherWays() async throws {
        let server = try await RedisServer(certificate: "self")
        let file = Certificates.certificate("self")
        for query in ["ssl_ca_certs=\(file)", "ssl_ca_data=\(escaped(try text(of: file)))"] {
            #expect(await failure(url(server.securePort, query)) == "none", "\(query.prefix(20))")
        }
    }

    private func text(of path: String) throws -> String {
        guard let file = fopen(path, "r") else { return "" }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    private func escaped(_ text: String) -> String {
        text.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func everyByteMayComeAlone() async throws {
        let server = try await RedisServer(certificate: "good")
        let proxy = try FaultyProxy(toPort: server.securePort)
        proxy.set { $0.slice = 1 }
        try await withBroadcast("\(url(proxy.port))&\(Self.patience)") { broadcast in
            var sight = Sight(try await broadcast.subscribe(to: "chat"))
            let payload = String(repeating: "y", count: 20_000)
            try await broadcast.publish(payload, to: "chat")
            #expect(try await sight.next() == payload)
        }
    }

    @Test func aHundredMegabytesPass() async throws {
        let server = try await RedisServer(certificate: "good")
        try await withBroadcast("\(url(server.securePort))&\(Self.patience)") { broadcast in
            var sight = Sight(try await broadcast.subscribe(to: "chat"))
            let payload = String(repeating: "0123456789", count: 500_000)
            for _ in 0..<20 {
                async let published = broadcast.publish(payload, to: "chat")
                #expect(try await sight.next() == payload)
                #expect(try await published.receivers == 1)
            }
        }
    }

    // MARK: Bad certificates

    @Test(arguments: [
        ("expired", "localhost", "certificate of localhost: expired on 2020-12-31"),
        ("future", "localhost", "certificate of localhost: valid only from 2036-01-01"),
        ("wrong", "localhost", "certificate of localhost is for other.example, *.example.com"),
        ("wild", "localhost", "certificate of localhost is for *.db.test, not localhost"),
        ("common", "localhost", "certificate of localhost is for no host"),
        ("self", "localhost", "certificate of localhost is self-signed: give it as ssl_ca_certs"),
        ("unknown", "localhost", "is signed by an unknown authority (CN=Other Root)"),
        ("through", "localhost", "is signed by an unknown authority (CN=Test Intermediate)"),
        ("host", "127.0.0.1", "is for localhost, and names no such IP address"),
        ("clients", "localhost", "is not meant for servers"),
    ])
    func aBadCertificateIsRefusedInWords(
        certificate: String, host: String, says: String
    ) async throws {
        let server = try await RedisServer(certificate: certificate)
        let text = await failure(url(server.securePort, host: host))
        #expect(text.hasPrefix("no secure connection: ") && text.contains(says), "\(text)")
    }

    @Test func theSystemsAuthoritiesDoNotVouchForAnother() async throws {
        let server = try await RedisServer(certificate: "good")
        let text = await failure("rediss://localhost:\(server.securePort)")
        #expect(text.contains("is signed by an unknown authority (CN=Test Root)"), "\(text)")
    }

    /// `SSL_CERT_FILE`, as all programs with OpenSSL have it.
    @Test func theSystemsAuthoritiesAreWhereTheEnvironmentSays() async throws {
        let server = try await RedisServer(certificate: "good")
        let process = try ServerProcess(
            [Programs.broadcast, "ping", "--url", "rediss://localhost:\(server.securePort)"],
            environment: ["SSL_CERT_FILE": Certificates.certificate("ca")])
        process.closeInput()
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() == 0)
        #expect(lines.contains { $0.hasPrefix("security: TLSv1.3, TLS_") }, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("certificate: CN=localhost, until 2") }, "\(lines)")
    }

    @Test func whoTurnsTheVerificationOffIsTold() async throws {
        let server = try await RedisServer(certificate: "expired")
        let log = LogLines()
        var options = BroadcastOptions()
        options.log = { log.append($0.message) }
        try await withBroadcast(
            url(server.securePort, "ssl_cert_reqs=none"), options: options
        ) { broadcast in
            _ = try await broadcast.ping()
            guard case .ready(let info) = broadcast.status else { return }
            #expect(info.security?.isVerified == false)
        }
        #expect(log.lines.contains { $0.contains("certificate of localhost is not verified") })
    }

    // MARK: The client's certificate

    @Test func aServerMayWantACertificate() async throws {
        let server = try await RedisServer(["--tls-auth-clients", "yes"], certificate: "good")
        func text(_ certificate: String, _ more: String = "") async -> String {
            let file = Certificates.certificate(certificate)
            let query = "\(Self.authority)&ssl_certfile=\(file)&\(more)"
            return await failure(url(server.securePort, query))
        }
        let key = "ssl_keyfile=\(Certificates.key("client"))"
        #expect(await failure(url(server.securePort)).contains("wants a client certificate"))
        #expect(await text("client", key) == "none")
        #expect(await text("client", "ssl_keyfile=/nowhere").contains("/nowhere: No such file"))
        #expect(await text("client").contains("cannot read its key from"))
        let other = "ssl_keyfile=\(Certificates.key("client2"))"
        #expect(await text("client2", other).contains("does not trust our certificate"))
        #expect(await text("client", other).contains("key values mismatch"))
        let locked = "ssl_keyfile=\(Certificates.key("locked"))"
        #expect(await text("client", "\(locked)&ssl_password=secret") == "none")
        #expect(
            await text("client", "\(locked)&ssl_password=wrong").contains("cannot read its key"))
        #expect(await text("client", locked).contains("is encrypted: give its password"))
    }

    // MARK: Losses

    @Test func aRestartedServerIsFoundAgain() async throws {
        let server = try await RedisServer(certificate: "good")
        try await withBroadcast("\(url(server.securePort))&\(Self.patience)") { broadcast in
            var sight = Sight(try await broadcast.subscribe(to: "chat"))
            for round in 1...3 {
                try await broadcast.publish("\(round)", to: "chat")
                #expect(try await sight.next() == "\(round)")
                await server.kill()
                // Its tickets are worth nothing to the next one.
                try await server.start()
                #expect(try await sight.next().hasPrefix("gap "))
            }
        }
    }

    @Test func anEndWithoutACloseIsALoss() async throws {
        let server = try await RedisServer(certificate: "good")
        let proxy = try FaultyProxy(toPort: server.securePort)
        try await withBroadcast("\(url(proxy.port))&\(Self.patience)") { broadcast in
            var sight = Sight(try await broadcast.subscribe(to: "chat"))
            proxy.halfClose()
            #expect(try await sight.next().contains("without closing TLS"))
        }
    }

    @Test(arguments: [1, 100, 1000, 1500])
    func anEndInTheHandshakeIsSaid(count: Int) async throws {
        let server = try await RedisServer(certificate: "good")
        let proxy = try FaultyProxy(toPort: server.securePort)
        proxy.set {
            $0.cutAfter = count
            $0.cutsAgain = true
        }
        let text = await failure(url(proxy.port))
        #expect(text.hasPrefix("connection lost: ") || text.hasPrefix("server not"), "\(text)")
    }

    @Test func aCertificateThatGetsBetterIsTakenThen() async throws {
        let server = try await RedisServer(certificate: "good")
        try await withBroadcast("\(url(server.securePort))&\(Self.patience)") { broadcast in
            await server.kill()
            server.use(certificate: "wrong")
            try await server.start()
            await broadcast.waitFor {
                if case .down(.insecure, _) = $0 { true } else { false }
            }
            await server.kill()
            server.use(certificate: "good")
            try await server.start()
            #expect(try await broadcast.publish("back", to: "chat").receivers == 0)
        }
    }

    // MARK: No TLS there

    @Test func aPortWithoutTLSIsRecognized() async throws {
        let server = try await RedisServer(certificate: "good")
        let silent = await failure(url(server.port, "connect_timeout=5s"))
        #expect(silent.contains("no TLS answer within 5.0 seconds: perhaps"), "\(silent)")
        let plain = await failure("redis://localhost:\(server.securePort)")
        #expect(plain.contains("perhaps it wants TLS"), "\(plain)")
        let answering = try ScriptedServer { happening, client in
            if case .received = happening { client.send("-ERR what?\r\n") }
        }
        let text = await failure(url(answering.port))
        #expect(text.contains("the server does not speak TLS"), "\(text)")
        let alerting = try ScriptedServer { happening, client in
            if case .received = happening { client.send([0x15, 3, 1, 0, 2, 2, 70]) }
        }
        let alert = await failure("redis://localhost:\(alerting.port)")
        #expect(alert.contains("the server speaks TLS there"), "\(alert)")
    }

    @Test func aMachineWithoutTheLibraryIsToldWhatToInstall() async throws {
        for name in ["libnone.so.3", "libc.so.6"] {
            let process = try ServerProcess(
                [Programs.broadcast, "ping", "--url", "rediss://localhost:1"],
                environment: ["BROADCASTER_LIBSSL": name])
            process.closeInput()
            let lines = await process.remainingLines()
            #expect(await process.waitForExit() == 77)
            #expect(lines.last?.contains("TLS needs OpenSSL 3 or 1.1.1") == true, "\(lines)")
            #expect(lines.last?.contains(name) == true, "\(lines)")
        }
    }

    /// OpenSSL 1.1.1, in a process of its own: a process has one.
    @Test(
        .enabled(if: Programs.oldOpenSSL != nil, "needs $BROADCASTER_OPENSSL_1"),
        arguments: [
            ("good", "localhost", "security: TLSv1.3"),
            ("host", "127.0.0.1", "is for localhost, and names no such IP address"),
            ("expired", "localhost", "certificate of localhost: expired on 2020-12-31"),
            ("through", "localhost", "by an unknown authority (CN=Test Intermediate)"),
            ("self", "localhost", "is self-signed"),
        ])
    func theOldOpenSSLDoesToo(certificate: String, host: String, says: String) async throws {
        let server = try await RedisServer(certificate: certificate)
        let old = try #require(Programs.oldOpenSSL)
        let process = try ServerProcess(
            [Programs.broadcast, "ping", "--url", url(server.securePort, host: host)],
            environment: ["LD_LIBRARY_PATH": old.folder, "BROADCASTER_LIBSSL": old.library])
        process.closeInput()
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() == (certificate == "good" ? 0 : 77))
        #expect(lines.contains { $0.contains(says) }, "\(lines)")
    }

    // MARK: Leaks

    /// In a process of its own, whose connection is cut again and again.
    @Test func aThousandReconnectsLeaveNoMemoryBehind() async throws {
        let server = try await RedisServer(certificate: "good")
        let proxy = try FaultyProxy(toPort: server.securePort)
        let child = try ServerProcess([
            Programs.broadcast, "subscribe", "chat", "--url",
            "\(url(proxy.port))&max_retry_delay=1ms&\(Self.patience)",
        ])
        try await withBroadcast(server.url.patient) { publisher in
            func reconnect(upTo count: Int) async throws -> Int {
                while try await connections(to: server) < count {
                    for _ in 0..<50 {
                        while try await publisher.publish("x", to: "chat").receivers == 0 {}
                        proxy.reset()
                    }
                }
                return residentPages(of: child)
            }
            let before = try await reconnect(upTo: 200)
            let after = try await reconnect(upTo: 1200)
            print("resident pages after 200 and 1,200 connections: \(before), \(after)")
            #expect(after - before < 1024, "less than 4 MiB")
        }
    }

    private func connections(to server: RedisServer) async throws -> Int {
        let name = "total_connections_received:"
        let line = try await server.command("INFO", "stats").first { $0.hasPrefix(name) }
        return line.flatMap { Int($0.dropFirst(name.count).filter(\.isNumber)) } ?? 0
    }

    private func residentPages(of process: ServerProcess) -> Int {
        guard let file = fopen("/proc/\(process.identifier)/statm", "r") else { return 0 }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard fgets(&line, 128, file) != nil else { return 0 }
        let text = String(decoding: line.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return Int(text.split(separator: " ")[1]) ?? 0
    }
}
