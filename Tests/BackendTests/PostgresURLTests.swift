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
        let file = ServerEnvironment.File(text: text, permissions: permissions)
        let environment = ServerEnvironment(
            variable: { ["HOME": "/home/me"][$0] },
            file: { $0 == "/home/me/.pgpass" ? file : nil }, userName: "me")
        let url = try PostgresURL(try ServerURL("postgres://u@h/d"), environment: environment)
        #expect(url.password(for: url.endpoints[0], in: environment) == password)
    }

    @Test(arguments: [
        ("postgres://h?sslmode=maybe", "sslmode is disable, allow, prefer"),
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
        let error = #expect(throws: ServerURLError.self) { _ = try url(text) }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test(arguments: ["disable", "allow", "prefer"])
    func modesThatWorkInTheClearAreTaken(mode: String) throws {
        _ = try url(
            "postgres://h?sslmode=\(mode)&channel_binding=prefer&target_session_attrs=read-write")
    }

    @Test func withoutAUserThereIsAnError() {
        #expect(throws: ServerURLError.self) { _ = try url("postgres://h", userName: nil) }
    }
}
