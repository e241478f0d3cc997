import BroadcasterWire
import Testing

@testable import BroadcasterPostgres

/// libpq's environment variables and the options beside them: obeyed, taken since nothing changes, or refused by name.
struct PostgresVariableTests {
    private func url(
        _ text: String, _ variables: [String: String] = [:]
    ) throws -> PostgresURL {
        let environment = ServerEnvironment(
            variable: { variables[$0] }, file: { _ in nil }, userName: "me")
        return try PostgresURL(try ServerURL(text), environment: environment)
    }

    /// "Environment Variables" in the documentation of libpq 18, whole.
    private static let documented: Set<String> = [
        "PGHOST", "PGSSLNEGOTIATION", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD",
        "PGPASSFILE", "PGREQUIREAUTH", "PGCHANNELBINDING", "PGSERVICE", "PGSERVICEFILE",
        "PGOPTIONS", "PGAPPNAME", "PGSSLMODE", "PGREQUIRESSL", "PGSSLCOMPRESSION", "PGSSLCERT",
        "PGSSLKEY", "PGSSLCERTMODE", "PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI",
        "PGREQUIREPEER", "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE",
        "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION", "PGCONNECT_TIMEOUT", "PGCLIENTENCODING",
        "PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS", "PGMINPROTOCOLVERSION",
        "PGMAXPROTOCOLVERSION", "PGDATESTYLE", "PGTZ", "PGGEQO", "PGSYSCONFDIR", "PGLOCALEDIR",
        "PGOAUTHDEBUG",
    ]

    @Test func everyVariableOfLibpqHasItsPlace() {
        let tables =
            PostgresParameters.all + [
                PostgresParameters.peer(hasSocket: true), PostgresParameters.target,
                PostgresParameters.balancing,
            ]
        let checked = Set(tables.compactMap(\.variable))
        let known = checked.union(PostgresParameters.obeyed).union(PostgresParameters.passedOver)
        #expect(known == Self.documented)
        #expect(checked.isDisjoint(with: PostgresParameters.passedOver))
    }

    @Test(arguments: [
        ("PGSSLMODE", "disable", nil), ("PGSSLMODE", "allow", nil), ("PGSSLMODE", "prefer", nil),
        ("PGSSLMODE", "require", nil),
        ("PGSSLMODE", "verify-ca", "sslmode=verify-ca needs sslrootcert"),
        ("PGSSLMODE", "verify-full", nil),
        ("PGSSLMODE", "maybe", "PGSSLMODE is disable, allow, prefer, require"),
        ("PGREQUIRESSL", "0", nil), ("PGREQUIRESSL", "1", nil),
        ("PGCHANNELBINDING", "disable", nil), ("PGCHANNELBINDING", "prefer", nil),
        ("PGCHANNELBINDING", "require", nil),
        ("PGCHANNELBINDING", "x", "PGCHANNELBINDING is disable, prefer or require"),
        ("PGSSLNEGOTIATION", "postgres", nil),
        ("PGSSLNEGOTIATION", "direct", "sslnegotiation=direct needs TLS, and sslmode=prefer"),
        ("PGSSLCERTMODE", "disable", nil), ("PGSSLCERTMODE", "allow", nil),
        ("PGSSLCERTMODE", "require", "PGSSLCERTMODE=require is not there"),
        ("PGSSLROOTCERT", "/etc/ca.pem", nil),
        ("PGSSLROOTCERT", "system", nil),
        ("PGSSLCERT", "/x", nil), ("PGSSLKEY", "/x", nil), ("PGSSLCRL", "/x", nil),
        ("PGSSLCRLDIR", "/x", nil), ("PGSSLSNI", "0", nil), ("PGSSLCOMPRESSION", "1", nil),
        ("PGSSLMINPROTOCOLVERSION", "TLSv1.3", nil), ("PGSSLMAXPROTOCOLVERSION", "TLSv1.3", nil),
        ("PGGSSENCMODE", "disable", nil), ("PGGSSENCMODE", "prefer", nil),
        ("PGGSSENCMODE", "require", "PGGSSENCMODE=require needs Kerberos"),
        ("PGKRBSRVNAME", "postgres", nil), ("PGGSSLIB", "gssapi", nil),
        ("PGGSSDELEGATION", "1", nil),
        ("PGREQUIREAUTH", "scram-sha-256", nil), ("PGREQUIREAUTH", "!password,!none", nil),
        ("PGREQUIREAUTH", "gss,sspi", "PGREQUIREAUTH allows gss or sspi alone, and possible are"),
        ("PGREQUIREAUTH", "oauth", "PGREQUIREAUTH allows oauth alone"),
        ("PGREQUIREAUTH", "ident", "PGREQUIREAUTH is a list of password, md5"),
        ("PGSERVICE", "app", "PGSERVICE names an entry of a service file"),
        ("PGSERVICEFILE", "/x", nil), ("PGSYSCONFDIR", "/x", nil), ("PGLOCALEDIR", "/x", nil),
        ("PGTARGETSESSIONATTRS", "any", nil), ("PGTARGETSESSIONATTRS", "primary", nil),
        ("PGTARGETSESSIONATTRS", "read-write", nil),
        ("PGTARGETSESSIONATTRS", "standby", "PGTARGETSESSIONATTRS=standby is not possible"),
        ("PGTARGETSESSIONATTRS", "read-only", "PGTARGETSESSIONATTRS=read-only is not possible"),
        ("PGTARGETSESSIONATTRS", "prefer-standby", "=prefer-standby is not possible"),
        ("PGTARGETSESSIONATTRS", "x", "PGTARGETSESSIONATTRS is any, read-write or primary"),
        ("PGLOADBALANCEHOSTS", "random", nil), ("PGLOADBALANCEHOSTS", "disable", nil),
        ("PGLOADBALANCEHOSTS", "x", "PGLOADBALANCEHOSTS is disable or random"),
        ("PGMINPROTOCOLVERSION", "3.0", nil),
        ("PGMINPROTOCOLVERSION", "3.2", "PGMINPROTOCOLVERSION=3.2 is not there"),
        ("PGMINPROTOCOLVERSION", "latest", "PGMINPROTOCOLVERSION=latest is not there"),
        ("PGMAXPROTOCOLVERSION", "3.0", nil), ("PGMAXPROTOCOLVERSION", "latest", nil),
        ("PGMAXPROTOCOLVERSION", "2.0", "PGMAXPROTOCOLVERSION is 3.0, 3.2 or latest"),
        ("PGCLIENTENCODING", "UTF8", nil), ("PGCLIENTENCODING", "utf-8", nil),
        ("PGCLIENTENCODING", "Unicode", nil), ("PGCLIENTENCODING", "auto", nil),
        ("PGCLIENTENCODING", "LATIN1", "PGCLIENTENCODING is UTF8 here, not \"LATIN1\""),
        ("PGCLIENTENCODING", "SQL_ASCII", "PGCLIENTENCODING is UTF8 here"),
        ("PGDATESTYLE", "German", nil), ("PGTZ", "UTC", nil), ("PGGEQO", "off", nil),
        ("PGOAUTHDEBUG", "UNSAFE", nil), ("PGOPTIONS", "-c x=y", nil), ("PGAPPNAME", "a", nil),
        ("PGREQUIREPEER", "postgres", nil),
    ])
    func variablesAreTakenOrRefusedByName(name: String, value: String, says: String?) {
        check(says) { _ = try url("postgres://h", [name: value]) }
    }

    /// An option hides its variable, whatever that demands; so does one that is empty.
    @Test(arguments: [
        ("sslmode=disable", "PGSSLMODE", "require"), ("sslmode=prefer", "PGREQUIRESSL", "1"),
        ("channel_binding=prefer", "PGCHANNELBINDING", "require"),
        ("gssencmode=disable", "PGGSSENCMODE", "require"),
        ("require_auth=md5", "PGREQUIREAUTH", "gss"), ("require_auth=", "PGREQUIREAUTH", "gss"),
        ("target_session_attrs=any", "PGTARGETSESSIONATTRS", "standby"),
        ("client_encoding=utf8", "PGCLIENTENCODING", "LATIN1"),
        ("sslrootcert=/x", "PGSSLROOTCERT", "system"),
        ("sslnegotiation=postgres", "PGSSLNEGOTIATION", "direct"),
    ])
    func anOptionHidesItsVariable(option: String, name: String, value: String) throws {
        _ = try url("postgres://h?\(option)", [name: value])
    }

    @Test func theOldVariableYieldsToTheNew() throws {
        _ = try url("postgres://h", ["PGSSLMODE": "disable", "PGREQUIRESSL": "1"])
    }

    /// Options that `psql` takes.
    @Test(arguments: [
        "keepalives=1", "keepalives=0", "keepalives_idle=30", "keepalives_interval=10",
        "keepalives_count=3", "tcp_user_timeout=10000", "gssencmode=disable", "gssencmode=prefer",
        "client_encoding=utf8", "client_encoding=UTF-8", "client_encoding=auto",
        "fallback_application_name=x", "replication=false", "replication=off", "krbsrvname=x",
        "gsslib=gssapi", "sslcompression=0", "sslsni=1", "sslcert=/x", "sslkey=/x",
        "sslpassword=x", "sslrootcert=/x", "sslcrl=/x", "sslcrldir=/x", "requirepeer=postgres",
        "ssl_min_protocol_version=TLSv1", "ssl_max_protocol_version=TLSv1.3", "requiressl=0",
        "requiressl=1", "ssl=true", "sslmode=require", "sslmode=verify-full", "sslrootcert=system",
        "sslmode=verify-ca&sslrootcert=/x", "sslmode=require&sslnegotiation=direct", "sslcert=",
        "channel_binding=require",
        "sslmode=allow", "channel_binding=disable", "passfile=/x", "hostaddr=127.0.0.1",
        "require_auth=scram-sha-256", "sslcertmode=disable", "sslcertmode=allow",
        "load_balance_hosts=disable", "gssdelegation=0", "sslnegotiation=postgres",
        "min_protocol_version=3.0", "max_protocol_version=latest", "oauth_issuer=x",
        "oauth_client_id=x", "oauth_client_secret=x", "oauth_scope=x", "sslkeylogfile=/x",
    ])
    func whatChangesNothingIsTaken(option: String) throws {
        _ = try url("postgres://h?\(option)")
    }

    @Test(arguments: [
        ("keepalives=maybe", "the option keepalives is not a number"),
        ("tcp_user_timeout=1s", "the option tcp_user_timeout is not a number"),
        ("replication=true", "the option replication is false here"),
        ("replication=database", "the option replication is false here"),
        ("client_encoding=latin1", "the option client_encoding is UTF8 here"),
        ("gssencmode=require", "the option gssencmode=require needs Kerberos"),
        ("sslcertmode=require", "the option sslcertmode=require is not there"),
        ("sslnegotiation=direct", "sslnegotiation=direct needs TLS, and sslmode=prefer"),
        ("sslmode=maybe", "the option sslmode is disable, allow, prefer, require, verify-ca or"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("sslmode=verify-ca", "sslmode=verify-ca needs sslrootcert"),
        ("sslmode=allow&sslnegotiation=direct", "and sslmode=allow does not ask for it"),
        ("sslmode=disable&channel_binding=require", "channel_binding=require needs TLS"),
        ("sslsni=yes", "the option sslsni is 0 or 1"),
        ("ssl_min_protocol_version=1.3", "the option ssl_min_protocol_version is TLSv1, TLSv1.1"),
        ("ssl_max_protocol_version=TLSv1.1", "ssl_max_protocol_version asks for less than TLS 1.2"),
        (
            "ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2",
            "ssl_min_protocol_version is above"
        ),
        ("ssl=false", "the option ssl is true or left out"),
        ("ssl=true&sslmode=disable", "say different things"),
        ("service=app", "the option service names an entry of a service file"),
        ("scram_client_key=SECRET", "the option scram_client_key is not there"),
        ("min_protocol_version=3.2", "the option min_protocol_version=3.2 is not there"),
        ("require_auth=md5,!none", "the option require_auth names either"),
        ("require_auth=md5,md5", "the option require_auth names md5 twice"),
        ("require_auth=gss", "the option require_auth allows gss alone"),
        ("authtype=x", "unknown option \"authtype\""), ("tty=x", "unknown option \"tty\""),
    ])
    func whatWouldPromiseMoreIsRefusedByName(option: String, says: String) {
        check(says) { _ = try url("postgres://h?\(option)") }
    }

    /// libpq encrypts no Unix-domain socket, and checks the peer of no other.
    @Test(arguments: [
        ("postgres:///d?host=/run&sslmode=require", nil),
        ("postgres:///d?host=/run&sslmode=verify-full&sslrootcert=system", nil),
        ("postgres:///d?host=/run,/tmp&sslmode=require", nil),
        ("postgres:///d?host=/run,h&sslmode=require", nil),
        ("postgres:///d?host=/run&hostaddr=127.0.0.1&sslmode=require", nil),
        ("postgres:///d?host=/run&sslnegotiation=direct", "needs TLS"),
        ("postgres:///d?host=/run&channel_binding=require", "needs TLS"),
        ("postgres:///d?host=/run&requirepeer=postgres", "requirepeer cannot be checked"),
        ("postgres:///d?host=h,/run&requirepeer=postgres", "requirepeer cannot be checked"),
        ("postgres:///d?host=h&requirepeer=postgres", nil),
    ])
    func socketsAreOnThisMachine(text: String, says: String?) {
        check(says) { _ = try url(text) }
    }

    @Test(
        arguments: [
            ("postgres://h", [:], "broadcaster"), ("postgres://h?application_name=a", [:], "a"),
            ("postgres://h?fallback_application_name=f", [:], "f"),
            ("postgres://h?fallback_application_name=f", ["PGAPPNAME": "e"], "e"),
            (
                "postgres://h?application_name=a&fallback_application_name=f", ["PGAPPNAME": "e"],
                "a"
            ),
        ] as [(String, [String: String], String)])
    func theApplicationHasAName(text: String, variables: [String: String], name: String) throws {
        #expect(try url(text, variables).applicationName == name)
    }

    private func check(_ says: String?, _ body: () throws -> Void) {
        guard let says else {
            #expect(throws: Never.self, performing: body)
            return
        }
        let error = #expect(throws: ServerURLError.self, performing: body)
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }
}

/// `require_auth`: a server that asks for another login gets nothing.
struct LoginPolicyTests {
    private static let requests: [(method: String, request: ServerMessage.Authentication)] = [
        ("none", .ok), ("password", .cleartextPassword), ("md5", .md5Password(salt: [1, 2, 3, 4])),
        ("scram-sha-256", .sasl(mechanisms: ["SCRAM-SHA-256"])),
    ]

    @Test(arguments: [
        ("", ["none", "password", "md5", "scram-sha-256"]), ("scram-sha-256", ["scram-sha-256"]),
        ("none", ["none"]), ("md5,scram-sha-256", ["md5", "scram-sha-256"]),
        ("!none", ["password", "md5", "scram-sha-256"]),
        ("!password,!md5", ["none", "scram-sha-256"]), ("password", ["password"]),
        ("gss,md5", ["md5"]),
    ])
    func onlyWhatIsAllowedIsAnswered(text: String, allowed: [String]) throws {
        let query = text.isEmpty ? "" : "&require_auth=\(text)"
        let url = try PostgresURL(
            try ServerURL("postgres://u:p@h?allow_cleartext=true\(query)"), environment: .empty)
        for (method, request) in Self.requests {
            var handshake = PostgresHandshake(url, nonce: "abcdefghijklmnopqrstuvwx")
            var bytes: [UInt8] = []
            let outcome = try handshake.received(.authentication(request), into: &bytes)
            if allowed.contains(method) {
                #expect(outcome == .goOn, "\(method)")
            } else {
                guard case .rejected(let rejection) = outcome else {
                    Issue.record("\(method) was answered")
                    continue
                }
                #expect(rejection.kind == .authentication)
                #expect(rejection.message.contains("the option require_auth allows"))
                #expect(bytes.isEmpty, "something was sent")
            }
        }
    }
}
