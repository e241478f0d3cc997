import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterPostgres

/// A URL and variables, and what libpq makes of them.
struct HostCase: Sendable, CustomTestStringConvertible {
    let url: String
    let variables: [String: String]
    /// `name=address:port`, or `folder:port` of a socket, separated by blanks.
    let hosts: String

    init(_ url: String, _ variables: [String: String] = [:], _ hosts: String) {
        self.url = url
        self.variables = variables
        self.hosts = hosts
    }

    var testDescription: String { "\(url) \(variables)" }

    /// Hosts on which no server listens: `psql` says of each, in order, where it tried.
    static let all: [HostCase] = [
        HostCase("postgres://127.0.0.1:1/d", "127.0.0.1=127.0.0.1:1"),
        // An option wins over the URL's own part.
        HostCase("postgres://127.0.0.1:1/d?port=2", "127.0.0.1=127.0.0.1:2"),
        HostCase("postgres://127.0.0.1:1/d?host=127.0.0.2", "127.0.0.2=127.0.0.2:1"),
        HostCase("postgres://127.0.0.1:1/d?host=127.0.0.2&port=2", "127.0.0.2=127.0.0.2:2"),
        HostCase("postgres://127.0.0.1:1/d?host=/nowhere&port=2", "/nowhere:2"),
        HostCase(
            "postgres://127.0.0.1:1,127.0.0.2/d?port=3",
            "127.0.0.1=127.0.0.1:3 127.0.0.2=127.0.0.2:3"),
        HostCase(
            "postgres://127.0.0.1:1/d?port=2,3&host=127.0.0.2,127.0.0.3",
            "127.0.0.2=127.0.0.2:2 127.0.0.3=127.0.0.3:3"),
        // hostaddr is the address; host stays the name.
        HostCase("postgres://db.invalid:1/d?hostaddr=127.0.0.1", "db.invalid=127.0.0.1:1"),
        HostCase("postgres://:1/d?hostaddr=127.0.0.1", "127.0.0.1=127.0.0.1:1"),
        HostCase(
            "postgres:///d?host=db.invalid&hostaddr=127.0.0.1&port=1", "db.invalid=127.0.0.1:1"),
        HostCase("postgres:///d?host=/nowhere&hostaddr=127.0.0.1&port=1", "/nowhere=127.0.0.1:1"),
        HostCase(
            "postgres://:1/d?host=a.invalid,b.invalid&hostaddr=127.0.0.1,127.0.0.2",
            "a.invalid=127.0.0.1:1 b.invalid=127.0.0.2:1"),
        HostCase(
            "postgres://a.invalid:1,b.invalid:2/d?hostaddr=127.0.0.1,127.0.0.2",
            "a.invalid=127.0.0.1:1 b.invalid=127.0.0.2:2"),
        HostCase(
            "postgres:///d?host=127.0.0.3,b.invalid&hostaddr=,127.0.0.2&port=1",
            "127.0.0.3=127.0.0.3:1 b.invalid=127.0.0.2:1"),
        HostCase(
            "postgres:///d?hostaddr=127.0.0.1,127.0.0.2&port=1,2",
            "127.0.0.1=127.0.0.1:1 127.0.0.2=127.0.0.2:2"),
        // Lists, and what is left out of them.
        HostCase(
            "postgres://127.0.0.1:1,127.0.0.2:2/d", "127.0.0.1=127.0.0.1:1 127.0.0.2=127.0.0.2:2"),
        HostCase(
            "postgres://127.0.0.1%2C127.0.0.2:1/d", "127.0.0.1=127.0.0.1:1 127.0.0.2=127.0.0.2:1"),
        HostCase(
            "postgres:///d?host=/nowhere,127.0.0.1&port=1,2", "/nowhere:1 127.0.0.1=127.0.0.1:2"),
        // Variables stand in.
        HostCase("postgres:///d", ["PGHOST": "127.0.0.1", "PGPORT": "1"], "127.0.0.1=127.0.0.1:1"),
        HostCase(
            "postgres://:2/d", ["PGHOST": "127.0.0.1", "PGPORT": "1"], "127.0.0.1=127.0.0.1:2"),
        HostCase(
            "postgres://127.0.0.1/d", ["PGHOST": "127.0.0.2", "PGPORT": "1"],
            "127.0.0.1=127.0.0.1:1"),
        HostCase(
            "postgres://db.invalid:1/d", ["PGHOSTADDR": "127.0.0.1"], "db.invalid=127.0.0.1:1"),
        HostCase(
            "postgres://db.invalid:1/d?hostaddr=127.0.0.2", ["PGHOSTADDR": "127.0.0.1"],
            "db.invalid=127.0.0.2:1"),
        HostCase(
            "postgres://127.0.0.3:1/d?hostaddr=", ["PGHOSTADDR": "127.0.0.1"],
            "127.0.0.3=127.0.0.3:1"),
        HostCase(
            "postgres:///d",
            [
                "PGHOST": "a.invalid,b.invalid", "PGHOSTADDR": "127.0.0.1,127.0.0.2",
                "PGPORT": "1,2",
            ], "a.invalid=127.0.0.1:1 b.invalid=127.0.0.2:2"),
        HostCase(
            "postgres:///d?host=/nowhere", ["PGHOST": "127.0.0.1", "PGPORT": "1"], "/nowhere:1"),
    ]
}

extension HostCase {
    init(_ url: String, _ hosts: String) { self.init(url, [:], hosts) }
}

struct PostgresHostTests {
    private func url(
        _ text: String, _ variables: [String: String] = [:],
        order: @escaping @Sendable (Int) -> [Int] = { Array(0..<$0) }
    ) throws -> PostgresURL {
        let environment = ServerEnvironment(
            variable: { variables[$0] }, file: { _ in nil }, userName: "me", order: order)
        return try PostgresURL(try ServerURL(text), environment: environment)
    }

    @Test(arguments: HostCase.all)
    func hostsAreThoseOfLibpq(row: HostCase) throws {
        let hosts = try url(row.url, row.variables).hosts.map { host in
            switch host.endpoint {
            case .tcp(let address, let port): "\(host.name)=\(address):\(port)"
            case .unix: "\(host.name):\(host.port)"
            }
        }
        #expect(hosts.joined(separator: " ") == row.hosts)
    }

    /// The default port is not in the cases above: somebody may listen there.
    @Test(
        arguments: [
            ("postgres://a,b/d", [:], "a:5432 b:5432"), ("postgres://a:1,b/d", [:], "a:1 b:5432"),
            // The URL's list of ports is `,` then, and no variable stands in for a part of it.
            ("postgres://a,b/d", ["PGPORT": "7"], "a:5432 b:5432"),
            ("postgres://a/d", ["PGPORT": "7"], "a:7"),
            ("postgres://a:1,b/d", ["PGPORT": "7"], "a:1 b:5432"),
            ("postgres://a/d?port=", ["PGPORT": "7"], "a:5432"),
            ("postgres://a,b/d?port=1,", [:], "a:1 b:5432"),
            ("postgres://a/d?host=", ["PGHOST": "b"], "localhost:5432"),
            ("postgres:///d", ["PGHOST": "b"], "b:5432"),
            ("postgres://[::1]/d?hostaddr=::1%25lo", [:], "[::1%lo]:5432"),
            ("postgres://a,,b/d", [:], "a:5432 localhost:5432 b:5432"),
        ] as [(String, [String: String], String)])
    func whatIsNotGivenIsTheDefault(
        text: String, variables: [String: String], endpoints: String
    ) throws {
        let found = try url(text, variables).endpoints.map(\.description)
        #expect(found.joined(separator: " ") == endpoints)
    }

    @Test(arguments: [
        ("postgres://a,b/d?hostaddr=127.0.0.1", "2 hosts and 1 addresses"),
        ("postgres://a/d?hostaddr=127.0.0.1,127.0.0.2", "1 hosts and 2 addresses"),
        ("postgres://a,b/d?port=1,2,3", "2 hosts and 3 ports"),
        ("postgres://a/d?port=1,2", "1 hosts and 2 ports"),
        ("postgres://a/d?port=0", "(the option port)"),
        ("postgres://a/d?port=%2B1", "(the option port)"),
        ("postgres://a/d?port=65536", "the port is not a number from 1 to 65535"),
        ("postgres://a/d?hostaddr=b", "hostaddr is no IPv4 or IPv6 address"),
        ("postgres://a/d?hostaddr=1.2.3", "hostaddr is no"),
        ("postgres://a/d?hostaddr=1.2.3.256", "hostaddr is no"),
        ("postgres://a/d?hostaddr=1.2.3.4.5", "hostaddr is no"),
        ("postgres://a/d?hostaddr=de:host", "hostaddr is no"),
        ("postgres://a/d?host=%40abstract", "abstract socket"),
        ("postgres://a/d?port=1&port=2", "given twice"),
        ("postgres://a/d?hostaddr=127.0.0.1&hostaddr=127.0.0.1", "given twice"),
    ])
    func whatCannotMeanAnythingIsAnError(text: String, says: String) {
        let error = #expect(throws: ServerURLError.self) { _ = try url(text) }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test func aPortOfTheEnvironmentIsNamed() {
        let error = #expect(throws: ServerURLError.self) {
            _ = try url("postgres://a", ["PGPORT": "x"])
        }
        #expect(error?.description.contains("(PGPORT)") == true)
    }

    /// The parts that are no host, as `PQconninfoParse` of 18 has them.
    @Test(arguments: [
        ("postgres://u:p@h/d", "u p d"), ("postgres://u:p@h/d?user=v", "v p d"),
        ("postgres://u:p@h/d?password=q", "u q d"), ("postgres://u:p@h/d?dbname=e", "u p e"),
        ("postgres://u:p@h/d?user=v&password=q&dbname=e", "v q e"),
        ("postgres://u:p@h/d?user=", "me p d"), ("postgres://u:p@h/d?password=", "u - d"),
        ("postgres://u:p@h/d?dbname=", "u p u"), ("postgres://:p@h", "eu p ed"),
        ("postgres://u@h", "u ep ed"), ("postgres://h?user=", "me ep ed"),
        ("postgres://u:@h/d", "u ep d"), ("postgres://h?dbname=&user=v", "v ep v"),
    ])
    func anOptionWinsOverTheURLAndThatOverTheVariable(text: String, expected: String) throws {
        let url = try url(
            text, ["PGUSER": "eu", "PGPASSWORD": "ep", "PGDATABASE": "ed"])
        #expect("\(url.user) \(url.password ?? "-") \(url.database)" == expected)
    }

    /// The file is asked for the host's name, also where an address is given beside it.
    @Test(arguments: [
        ("postgres://u@h:1/d?hostaddr=127.0.0.1", "by name"),
        ("postgres://u@:1/d?hostaddr=127.0.0.1", "by address"),
        ("postgres://u@h:1/d?hostaddr=127.0.0.1&port=2", "by port"),
        ("postgres://u:x@h:1/d?password=", "by name"),
    ])
    func thePasswordFileKnowsTheName(text: String, password: String) throws {
        let file = ServerEnvironment.File(
            text: "h:1:*:*:by name\n127.0.0.1:1:*:*:by address\nh:2:*:*:by port", permissions: 0o600
        )
        let environment = ServerEnvironment(
            variable: { ["PGPASSFILE": "/f"][$0] }, file: { $0 == "/f" ? file : nil },
            userName: nil)
        let url = try PostgresURL(try ServerURL(text), environment: environment)
        #expect(url.password(for: url.endpoints[0], in: environment) == password)
    }

    /// Each host of a list has its own line; a Unix-domain socket's host is its folder, and `localhost` stands for the
    /// default folder alone (`passwordFromFile` in fe-connect.c).
    @Test(arguments: [
        ("postgres://u@a:1,b:1,c:1/d", "a:1:*:*:one\nb:1:*:*:two", ["one", "two", nil]),
        ("postgres://u@a:1,a:2/d", "a:2:*:*:two\na:1:*:*:one", ["one", "two"]),
        ("postgres://u@/d?host=/run/x&port=5", "/run/x:5:*:*:folder", ["folder"]),
        ("postgres://u@/d?host=/run/x&port=5", "localhost:5:*:*:no", [nil]),
        ("postgres://u@/d?host=/run/x&port=5", "*:5:*:*:any", ["any"]),
        ("postgres://u@/d?host=/var/run/postgresql", "localhost:5432:*:*:default", ["default"]),
        ("postgres://u@/d?host=/var/run/postgresql", "/var/run/postgresql:*:*:*:no", [nil]),
        ("postgres://u@/d", "localhost:5432:*:*:here", ["here"]),
        ("postgres://u@localhost/d", "localhost:*:d:u:here", ["here"]),
        ("postgres://u@localhost/d", "localhost:*:other:u:no\nlocalhost:*:*:v:no", [nil]),
        ("postgres://u:said@a:1,b:1/d", "*:*:*:*:file", ["said", "said"]),
    ])
    func eachHostHasItsOwnPassword(text: String, lines: String, passwords: [String?]) throws {
        let file = ServerEnvironment.File(text: lines, permissions: 0o600)
        let environment = ServerEnvironment(
            variable: { ["PGPASSFILE": "/f"][$0] }, file: { $0 == "/f" ? file : nil },
            userName: nil)
        let url = try PostgresURL(try ServerURL(text), environment: environment)
        #expect(url.endpoints.map { url.password(for: $0, in: environment) } == passwords)
        #expect(
            url.password(for: .tcp(host: "elsewhere", port: 9), in: environment) == url.password)
    }

    @Test(
        arguments: [
            ("postgres://a,b,c?load_balance_hosts=random", [:], "c a b"),
            ("postgres://a,b,c?load_balance_hosts=disable", [:], "a b c"),
            ("postgres://a,b,c", ["PGLOADBALANCEHOSTS": "random"], "c a b"),
            (
                "postgres://a,b,c?load_balance_hosts=disable", ["PGLOADBALANCEHOSTS": "random"],
                "a b c"
            ),
            ("postgres://a,b,c", [:], "a b c"),
        ] as [(String, [String: String], String)])
    func hostsAreTriedByChanceWhereThatIsAskedFor(
        text: String, variables: [String: String], order: String
    ) throws {
        let url = try url(text, variables, order: { _ in [2, 0, 1] })
        #expect(url.hosts.map(\.name).joined(separator: " ") == order)
    }
}

/// The cases above, asked of the machine's own `psql`.
@Suite(
    .enabled(if: Programs.areAvailable(Programs.postgres), "needs postgresql"),
    .timeLimit(.minutes(2)))
struct LibpqHostTests {
    @Test(arguments: HostCase.all)
    func psqlTriesTheSameHosts(row: HostCase) async throws {
        var variables = row.variables
        variables["PGUSER"] = "me"
        let process = try ServerProcess(
            [Programs.postgresFolder + "/psql", "-X", "-w", row.url, "-c", "select 1"],
            environment: variables)
        let found = await process.remainingLines().compactMap(tried)
        let addresses = row.hosts.split(separator: " ").map { $0.split(separator: "=").last ?? "" }
        #expect(found.joined(separator: " ") == addresses.joined(separator: " "))
    }

    /// From `connection to server at "db.invalid" (127.0.0.1), port 1 failed: …` or
    /// `connection to server on socket "/nowhere/.s.PGSQL.2" failed: …`.
    private func tried(_ line: String) -> String? {
        let quoted = line.split(separator: "\"", omittingEmptySubsequences: false)
        guard line.contains("connection to server"), quoted.count >= 3 else { return nil }
        let name = quoted[1]
        if line.contains("on socket") {
            guard let end = name.firstRange(of: "/.s.PGSQL.") else { return nil }
            return "\(name[..<end.lowerBound]):\(name[end.upperBound...])"
        }
        guard let port = quoted[2].firstRange(of: "port ") else { return nil }
        let number = quoted[2][port.upperBound...].prefix { $0.isNumber }
        // The name is not shown where there is an address of its own.
        let address = quoted[2].hasPrefix(" (") ? quoted[2].dropFirst(2).prefix { $0 != ")" } : name
        return "\(address):\(number)"
    }
}
