import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterPostgres

struct PostgresURLTests {
    private func url(
        _ text: String, variables: [String: String] = [:],
        files: [String: ServerEnvironment.File] = [:], userName: String? = "me"
    ) throws -> PostgresURL {
        let environment = ServerEnvironment(
            variable: { variables[$0] }, file: { files[$0] }, userName: userName)
        return try PostgresURL(try ServerURL(text), environment: environment)
    }

    @Test(arguments: [
        ("postgres://h", "h:5432", "me", "me"), ("postgresql://u@h/d", "h:5432", "u", "d"),
        ("postgres://u:p@h:1/d", "h:1", "u", "d"), ("postgres://u@[::1]/d", "[::1]:5432", "u", "d"),
        ("postgres://u@a,b:2/d", "a:5432 b:2", "u", "d"),
        ("postgres://u@a:1,b/d?port=3", "a:3 b:3", "u", "d"),
        ("postgres:///d?host=/run/pg", "/run/pg/.s.PGSQL.5432", "me", "d"),
        ("postgres:///d?host=/run/pg&port=7", "/run/pg/.s.PGSQL.7", "me", "d"),
        ("postgres://%2Frun%2Fpg/d", "/run/pg/.s.PGSQL.5432", "me", "d"),
        ("postgres:///?host=a,b&port=1,2&user=x&dbname=y", "a:1 b:2", "x", "y"),
        ("postgres:///d", "localhost:5432", "me", "d"),
    ])
    func saysWhereAndWho(text: String, endpoints: String, user: String, database: String) throws {
        let url = try url(text)
        #expect(url.endpoints.map(\.description).joined(separator: " ") == endpoints)
        #expect(url.user == user)
        #expect(url.database == database)
    }

    @Test func theUsualSocketIsTakenIfItIsThere() throws {
        let path = "/var/run/postgresql/.s.PGSQL.5432"
        let url = try url(
            "postgres:///d", files: [path: ServerEnvironment.File(text: "", permissions: 0o777)])
        #expect(url.endpoints == [.unix(path: path)])
    }

    @Test func variablesStandInForWhatTheURLDoesNotSay() throws {
        let variables = [
            "PGHOST": "env", "PGPORT": "1", "PGUSER": "eu", "PGPASSWORD": "ep", "PGDATABASE": "ed",
            "PGAPPNAME": "ea", "PGOPTIONS": "-c x=y",
        ]
        let bare = try url("postgres://", variables: variables)
        #expect(bare.endpoints == [.tcp(host: "env", port: 1)])
        #expect(
            [bare.user, bare.password, bare.database, bare.applicationName, bare.serverOptions]
                == ["eu", "ep", "ed", "ea", "-c x=y"])
        let full = try url("postgres://u:p@h:2/d?application_name=a", variables: variables)
        #expect(full.endpoints == [.tcp(host: "h", port: 2)])
        #expect(
            [full.user, full.password, full.database, full.applicationName] == ["u", "p", "d", "a"])
    }

    @Test(arguments: [
        ("*:*:*:*:any", 0o600, "any"), ("h:5432:d:u:exact", 0o600, "exact"),
        ("# comment\nx:*:*:*:no\nh:*:*:u:second", 0o600, "second"),
        ("h:5432:d:u:a\\:b\\\\c", 0o600, "a:b\\c"), ("h:1:d:u:other port", 0o600, nil),
        ("h:5432:d:u:readable by others", 0o644, nil), ("", 0o600, nil), ("h:5432", 0o600, nil),
    ])
    func passwordsComeFromTheFile(text: String, permissions: Int, password: String?) throws {
        let url = try url(
            "postgres://u@h/d", variables: ["HOME": "/home/me"],
            files: [
                "/home/me/.pgpass": ServerEnvironment.File(text: text, permissions: permissions)
            ])
        #expect(url.password == password)
    }

    @Test(arguments: [
        ("postgres://h?sslmode=require", "needs TLS"),
        ("postgres://h?sslmode=verify-full", "needs TLS"),
        ("postgres://h?sslmode=maybe", "sslmode is disable, allow or prefer"),
        ("postgres://h?channel_binding=require", "needs TLS"),
        ("postgres://h?target_session_attrs=standby", "need a primary"),
        ("postgres://h?large_payloads=maybe", "refuse or split"),
        ("postgres://h?allow_cleartext=maybe", "false or true"),
        ("postgres://h?colour=red", "unknown option \"colour\" in a postgres URL"),
        ("postgres://h?port=x", "the port is not a number"),
        ("postgres://a,b,c?port=1,2", "3 hosts and 2 ports"),
        ("postgres://u%00x@h", "the user name holds a NUL"),
        ("postgres://h?application_name=x%00user", "the application_name holds a NUL"),
    ])
    func refusesInWords(text: String, says: String) {
        let error = #expect(throws: URLError.self) { _ = try url(text) }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test(arguments: ["disable", "allow", "prefer"])
    func modesThatWorkInTheClearAreTaken(mode: String) throws {
        _ = try url(
            "postgres://h?sslmode=\(mode)&channel_binding=prefer&target_session_attrs=read-write")
    }

    @Test func withoutAUserThereIsAnError() {
        #expect(throws: URLError.self) { _ = try url("postgres://h", userName: nil) }
    }
}

struct PayloadCodecTests {
    private func roundTrip(_ payload: [UInt8]) -> (count: Int, result: [UInt8]?) {
        let texts = PayloadCodec.encode(.bytes(payload), id: 7)
        var assembler = PartAssembler(limit: 1 << 24)
        for text in texts {
            #expect(text.count <= 7999)
            #expect(String(validating: text, as: UTF8.self) != nil)
            guard text.starts(with: PayloadCodec.mark) else { return (texts.count, text) }
            switch PayloadCodec.decode(text) {
            case .whole(let bytes): return (texts.count, bytes)
            case .unknown: return (texts.count, nil)
            case .part(let id, let number, let count, let piece):
                if case .message(let bytes) = assembler.add(
                    process: 1, channel: [1], id: id, number: number, count: count, piece: piece)
                {
                    return (texts.count, bytes)
                }
            }
        }
        return (texts.count, nil)
    }

    private static let payloads: [(payload: [UInt8], count: Int)] = [
        ([], 1), (Array("x".utf8), 1), ([0], 1), ([0xff, 0xfe], 1),
        (Array("broadcaster:1:p:1:1/2:x".utf8), 1), ([UInt8](repeating: 120, count: 7999), 1),
        ([UInt8](repeating: 120, count: 8000), 2), ([UInt8](repeating: 0, count: 8000), 2),
        (Array(String(repeating: "é", count: 10_000).utf8), 3),
        (Array(("broadcaster:1:" + String(repeating: "x", count: 7990)).utf8), 2),
    ]

    @Test(arguments: payloads)
    func everythingComesBack(payload: [UInt8], count: Int) {
        let (parts, result) = roundTrip(payload)
        #expect(parts == count)
        #expect(result == payload)
    }

    @Test func aSmallTextIsOnTheWireAsItIs() {
        #expect(PayloadCodec.encode(.text("hello"), id: 1) == [Array("hello".utf8)])
    }

    @Test(arguments: [
        "broadcaster:1:", "broadcaster:1:x:y", "broadcaster:1:b:!!", "broadcaster:1:p:",
        "broadcaster:1:p:1:0/2:x",
        "broadcaster:1:p:1:3/2:x", "broadcaster:1:p:x:1/2:x", "broadcaster:1:p:1:1:x",
        "broadcaster:1:p:1:99999999999999999999/2:x",
    ])
    func whatOnlyLooksMarkedIsNoPart(text: String) {
        #expect(PayloadCodec.decode(Array(text.utf8)) == .unknown)
    }

    private func add(
        _ assembler: inout PartAssembler, _ number: Int, of count: Int, id: UInt64 = 1
    ) -> PartAssembler.Outcome {
        assembler.add(
            process: 1, channel: [1], id: id, number: number, count: count,
            piece: Array("x".utf8)[...])
    }

    @Test func missingPartsAreALossOnce() {
        var assembler = PartAssembler(limit: 1000)
        #expect(add(&assembler, 2, of: 4, id: 9) == .lost, "its beginning never came")
        #expect(add(&assembler, 3, of: 4, id: 9) == .incomplete, "told already")
        #expect(add(&assembler, 4, of: 4, id: 9) == .incomplete, "told already")
        #expect(add(&assembler, 1, of: 3) == .incomplete)
        #expect(add(&assembler, 3, of: 3) == .lost)
        #expect(add(&assembler, 2, of: 3) == .incomplete, "told already")
        #expect(add(&assembler, 1, of: 2, id: 2) == .incomplete)
        let first = assembler.interrupted(by: 2, [1])
        let second = assembler.interrupted(by: 2, [1])
        #expect(first == [1])
        #expect(second == nil)
        #expect(add(&assembler, 1, of: 2, id: 3) == .incomplete)
        let wasOpen = assembler.abandon()
        #expect(wasOpen)
    }

    @Test func aMessageWithoutEndIsBounded() {
        var assembler = PartAssembler(limit: 1000)
        var outcome = PartAssembler.Outcome.incomplete
        var number = 1
        let piece = [UInt8](repeating: 120, count: 500)[...]
        while outcome == .incomplete, number < 100 {
            outcome = assembler.add(
                process: 1, channel: [1], id: 1, number: number, count: 1_000_000, piece: piece)
            number += 1
        }
        #expect(outcome == .lost)
        #expect(number < 10)
    }
}

struct PostgresRefusalTests {
    private func backend(_ rest: String = "") throws -> PostgresBackend {
        let options = CommonOptions(
            connectTimeout: .seconds(1), publishTimeout: .seconds(1), pingInterval: .seconds(1),
            maximumMessageSize: 10_000)
        return try PostgresBackend(
            try ServerURL("postgres://u@h/d" + rest), options: options, environment: .empty)
    }

    /// Postgres would cut a name at 63 bytes, and the subscriber would hear another channel.
    @Test func namesAndMessagesAreCheckedBeforeAnyIO() throws {
        let backend = try backend()
        let longest = String(repeating: "é", count: 31) + "x"
        #expect(backend.refusal(of: .channel(longest)) == nil)
        #expect(backend.refusal(of: .channel(longest + "x"))?.contains("63 bytes") == true)
        #expect(backend.refusal(of: .channel("")) != nil)
        #expect(backend.refusal(of: .channel("a\0b"))?.contains("NUL") == true)
        #expect(backend.refusal(of: .pattern("a*"))?.contains("patterns") == true)
        #expect(backend.refusal(ofPublishing: .text("x"), to: longest) == nil)
        #expect(backend.refusal(ofPublishing: .text("x"), to: longest + "x") != nil)
        let large = Payload.bytes(Array(repeating: 120, count: 10_000))
        #expect(backend.refusal(ofPublishing: large, to: "c") == nil)
        let tooLarge = Payload.bytes(Array(repeating: 120, count: 10_001))
        #expect(
            backend.refusal(ofPublishing: tooLarge, to: "c")?.contains("max_message_size") == true)
        let whole = try self.backend("?large_payloads=refuse")
        #expect(
            whole.refusal(ofPublishing: large, to: "c")?.contains("large_payloads=refuse") == true)
    }
}
