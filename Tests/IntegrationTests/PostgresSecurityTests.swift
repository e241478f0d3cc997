import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Testing

/// `sslmode` and its kin against a real Postgres with a certificate of the tests' own authority.
@Suite(
    .takesTurns,
    .enabled(
        if: Programs.areAvailable(Programs.postgres) && Certificates.areAvailable,
        "needs postgresql, openssl and faketime"),
    .serialized, .timeLimit(.minutes(5)))
struct PostgresSecurityTests {
    private static let root = "sslrootcert=\(Certificates.certificate("ca"))"
    private static let other = "sslrootcert=\(Certificates.certificate("ca2"))"
    private static let patience = "connect_timeout=60s&publish_timeout=60s"

    /// The outcome of a login: the version of TLS and the method, or the error.
    private func outcome(
        _ server: PostgresServer, _ query: String, user: String = "scram",
        host: String = "localhost"
    ) async -> String {
        let url = "postgres://\(user):secret@\(host):\(server.port)/postgres?\(query)"
        do {
            return try await withBroadcast("\(url)&\(Self.patience)") { broadcast in
                guard case .ready(let info) = broadcast.status else { return "no status" }
                return "\(info.security?.version ?? "plain") \(info.protocol)"
            }
        } catch {
            return "\(error)"
        }
    }

    /// The table of libpq 18, with the four differences that the documentation names.
    private static let good: [(query: String, says: String)] = [
        ("", "TLSv1.3 v3, SCRAM-SHA-256-PLUS"), ("sslmode=disable", "plain v3, SCRAM-SHA-256"),
        ("sslmode=allow", "plain"), ("sslmode=prefer", "TLSv1.3"), ("sslmode=require", "TLSv1.3"),
        ("sslmode=verify-ca&\(root)", "TLSv1.3"), ("sslmode=verify-full&\(root)", "TLSv1.3"),
        ("sslmode=prefer&\(other)", "signed by an unknown authority (CN=Test Root)"),
        ("sslmode=require&\(other)", "signed by an unknown authority (CN=Test Root)"),
        ("sslmode=verify-ca&\(other)", "signed by an unknown authority"),
        ("sslmode=verify-full&\(other)", "signed by an unknown authority"),
        ("sslmode=verify-full", "signed by an unknown authority (CN=Test Root)"),
        ("sslrootcert=system", "signed by an unknown authority (CN=Test Root)"),
        ("sslmode=verify-full&sslrootcert=/nowhere", "from /nowhere: No such file"),
        ("sslmode=verify-full&channel_binding=require&\(root)", "TLSv1.3 v3, SCRAM-SHA-256-PLUS"),
        ("channel_binding=disable", "TLSv1.3 v3, SCRAM-SHA-256"),
        ("ssl_max_protocol_version=TLSv1.2", "TLSv1.2 v3, SCRAM-SHA-256-PLUS"),
        ("ssl_min_protocol_version=TLSv1.3", "TLSv1.3"), ("sslsni=0&sslmode=require", "TLSv1.3"),
        (
            "sslmode=verify-full&\(root)&sslcrl=\(Certificates.folder)/ca.crl", "TLSv1.3"
        ),
    ]

    @Test func eachModeDoesWhatItDoesInLibpq() async throws {
        let server = try await PostgresServer(certificate: "host")
        for (query, says) in Self.good {
            let text = await outcome(server, query)
            #expect(text.contains(says), "\(query): \(text)")
        }
        let address = await outcome(server, "sslmode=verify-full&\(Self.root)", host: "127.0.0.1")
        #expect(address.contains("is for localhost, and names no such IP address"), "\(address)")
        let any = await outcome(server, "sslmode=verify-ca&\(Self.root)", host: "127.0.0.1")
        #expect(any.hasPrefix("TLSv1.3"), "\(any)")
        let named = await outcome(
            server, "hostaddr=127.0.0.1&sslmode=verify-full&\(Self.root)")
        #expect(named.hasPrefix("TLSv1.3"), "\(named)")
    }

    @Test(arguments: [
        ("", "plain"), ("sslmode=prefer&\(root)", "plain"), ("sslmode=allow", "plain"),
        ("sslmode=require", "the server does not speak TLS, which sslmode=require wants"),
        ("sslmode=verify-full&\(root)", "does not speak TLS, which sslmode=verify-full"),
        ("channel_binding=require", "channel_binding=require needs TLS, and the server has none"),
    ])
    func aServerWithoutTLSServesTheLenient(query: String, says: String) async throws {
        let server = try await PostgresServer()
        let text = await outcome(server, query)
        #expect(text.contains(says), "\(text)")
    }

    @Test(arguments: [
        ("expired", "certificate of localhost: expired on 2020-12-31"),
        ("future", "valid only from 2036-01-01"), ("wrong", "is for other.example, *.example.com"),
        ("self", "is self-signed: give it as sslrootcert"),
        ("through", "is signed by an unknown authority (CN=Test Intermediate)"),
        ("revoked", "certificate of localhost was revoked"),
        ("clients", "is not meant for servers"),
        ("common", "TLSv1.3"), ("chain", "TLSv1.3"),
    ])
    func aBadCertificateIsRefusedInWords(certificate: String, says: String) async throws {
        let server = try await PostgresServer(certificate: certificate)
        let list = certificate == "revoked" ? "&sslcrl=\(Certificates.folder)/ca.crl" : ""
        let text = await outcome(server, "sslmode=verify-full&\(Self.root)\(list)")
        #expect(text.contains(says), "\(text)")
    }

    @Test func theRulesOfTheServerDecideToo() async throws {
        let server = try await PostgresServer(certificate: "good")
        try await server.prepend(rules: [
            "hostnossl all scram all reject", "hostssl all md5er all reject",
            "hostssl all trusty all cert map=all",
        ])
        #expect(await outcome(server, "sslmode=allow").hasPrefix("TLSv1.3"))
        let plain = await outcome(server, "sslmode=disable")
        #expect(plain.contains("write sslmode=require"), "\(plain)")
        #expect(await outcome(server, "sslmode=allow", user: "md5er").hasPrefix("plain"))
        let secure = await outcome(server, "sslmode=prefer", user: "md5er")
        #expect(secure.contains("may want a connection without TLS"), "no way back: \(secure)")
    }

    @Test func aClientsCertificateIsShown() async throws {
        let server = try await PostgresServer(certificate: "good")
        try await server.prepend(rules: ["hostssl all scram all cert"])
        let key = "sslkey=\(Certificates.key("client"))"
        let mine = "sslcert=\(Certificates.certificate("client"))"
        #expect(await outcome(server, "\(mine)&\(key)").hasPrefix("TLSv1.3"))
        let locked = "\(mine)&sslkey=\(Certificates.key("locked"))"
        #expect(await outcome(server, "\(locked)&sslpassword=secret").hasPrefix("TLSv1.3"))
        #expect(await outcome(server, locked).contains("is encrypted: give its password"))
        #expect(await outcome(server, "sslmode=require").contains("valid client certificate"))
        let hidden = await outcome(server, "\(mine)&\(key)&sslcertmode=disable")
        #expect(hidden.contains("valid client certificate"), "\(hidden)")
        let wrong =
            "sslcert=\(Certificates.certificate("client2"))&sslkey=\(Certificates.key("client2"))"
        #expect(await outcome(server, wrong).contains("does not trust our certificate"))
    }

    /// Ed25519 names no hash function: a login is not bound, unless that is demanded.
    @Test func aCertificateWithoutADigestBindsNothing() async throws {
        let server = try await PostgresServer(certificate: "ed")
        let root = "sslmode=verify-full&sslrootcert=\(Certificates.certificate("edca"))"
        #expect(await outcome(server, root) == "TLSv1.3 v3, SCRAM-SHA-256")
        #expect(await outcome(server, "\(root)&channel_binding=require").contains("ED25519"))
    }

    /// Postgres 17 and later do TLS from the first byte; the others end the connection.
    @Test func directTLSIsSpokenOrRefused() async throws {
        let server = try await PostgresServer(certificate: "good")
        let query = "sslmode=verify-full&sslnegotiation=direct&\(Self.root)"
        let text = await outcome(server, query)
        #expect(
            PostgresServer.hasQueueLimit
                ? text.hasPrefix("TLSv1.3") : text.contains("during the TLS handshake"), "\(text)")
    }

    // MARK: Somebody between

    /// Answers for the server before TLS, as somebody could who sits on the way.
    @Test(arguments: [
        ("N", "sslmode=require", "does not speak TLS"),
        ("Nx", "sslmode=prefer", "somebody may stand between"),
        ("Sx", "sslmode=require", "somebody may stand between"),
        ("S-ERR nothing of TLS\r\n", "sslmode=require", "somebody may stand between"),
        ("EFATAL: trust me\n\0", "sslmode=require", "in clear text: FATAL: trust me"),
        ("H", "sslmode=require", "expected S or N, found 'H'"),
    ])
    func whoAnswersForTheServerIsNotBelieved(
        answer: String, query: String, says: String
    ) async throws {
        let server = try ScriptedServer { happening, client in
            if case .received = happening { client.send(answer) }
        }
        let url = "postgres://u:secret@localhost:\(server.port)/d?\(query)&\(Self.patience)"
        let error = await #expect(throws: BroadcastError.self) {
            try await withBroadcast(url.patient) { _ in }
        }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    /// A yes, and then no TLS.
    @Test func aServerThatSaysYesAndDoesNotIsRefused() async throws {
        let server = try ScriptedServer { happening, client in
            guard case .received(let bytes) = happening else { return }
            client.send(bytes.count == 8 ? "S" : "HTTP/1.1 400 Bad Request\r\n\r\n")
        }
        let url = "postgres://u@localhost:\(server.port)/d?sslmode=require&\(Self.patience)"
        let error = await #expect(throws: BroadcastError.self) {
            try await withBroadcast(url.patient) { _ in }
        }
        #expect(error == .insecure("the server does not speak TLS"))
    }

    // MARK: Messages

    @Test func messagesPassAndLossesAreTold() async throws {
        let server = try await PostgresServer(certificate: "good")
        let proxy = try FaultyProxy(toPort: server.port)
        let url = "postgres://scram:secret@localhost:\(proxy.port)/postgres"
        let query = "sslmode=verify-full&channel_binding=require&\(Self.root)&\(Self.patience)"
        try await withBroadcast("\(url)?\(query)") { broadcast in
            var sight = Sight(try await broadcast.subscribe(to: "chat"))
            let long = String(repeating: "long ", count: 100_000)
            for payload in ["hello", long] {
                try await broadcast.publish(payload, to: "chat")
                #expect(try await sight.next() == payload)
            }
            proxy.halfClose()
            #expect(try await sight.next().contains("without closing TLS"))
            try await broadcast.publish("again", to: "chat")
            #expect(try await sight.next() == "again")
        }
    }

    @Test func everyByteMayComeAlone() async throws {
        let server = try await PostgresServer(certificate: "good")
        let proxy = try FaultyProxy(toPort: server.port)
        proxy.set { $0.slice = 1 }
        let url = "postgres://scram:secret@localhost:\(proxy.port)/postgres"
        let query = "sslmode=verify-full&channel_binding=require&\(Self.root)&\(Self.patience)"
        try await withBroadcast("\(url)?\(query)") { broadcast in
            var sight = Sight(try await broadcast.subscribe(to: "chat"))
            try await broadcast.publish("hello", to: "chat")
            #expect(try await sight.next() == "hello")
        }
    }
}
