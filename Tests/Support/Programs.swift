internal import Glibc

/// The programs that tests run, by `$BROADCASTER_…` or by `$PATH`.
package enum Programs {
    package static var redis: String { path("redis-server", variable: "BROADCASTER_REDIS") }
    package static var redisCLI: String { path("redis-cli", variable: "BROADCASTER_REDIS_CLI") }
    package static var python: String { path("python3", variable: "BROADCASTER_PYTHON") }

    /// The programs themselves: those on the path change the user first.
    package static var rabbitmq: String { rabbitmqFolder + "/rabbitmq-server" }
    package static var rabbitmqctl: String { rabbitmqFolder + "/rabbitmqctl" }
    private static var rabbitmqFolder: String {
        getenv("BROADCASTER_RABBITMQ").map { String(cString: $0) } ?? "/usr/lib/rabbitmq/bin"
    }

    package static var pgbouncer: String {
        let path = path("pgbouncer", variable: "BROADCASTER_PGBOUNCER")
        return exists(path) ? path : "/usr/sbin/pgbouncer"
    }

    /// The folder of initdb, postgres and psql: `$BROADCASTER_POSTGRES`, or Debian's newest.
    package static let postgresFolder: String = {
        if let path = getenv("BROADCASTER_POSTGRES") { return String(cString: path) }
        let versions = (10...30).reversed().map { "/usr/lib/postgresql/\($0)/bin" }
        return versions.first { exists($0 + "/initdb") } ?? "/usr/local/pgsql/bin"
    }()

    package static var postgres: String { postgresFolder + "/postgres" }

    /// True if Python can import the modules of the tests with Postgres.
    package static let pythonHasAsyncpg: Bool =
        system("'\(python)' -c 'import broadcaster, asyncpg' 2>/dev/null") == 0 || isRequired

    /// True if Python can import aio-pika.
    package static let pythonHasAioPika: Bool =
        system("'\(python)' -c 'import aio_pika' 2>/dev/null") == 0 || isRequired

    /// True if strace is there, and this process may use it.
    package static let canTrace: Bool =
        system("strace -f -o /dev/null true >/dev/null 2>&1") == 0

    /// The library of libfaketime for programs with threads.
    package static let fakeTime: String =
        ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/faketime/libfaketimeMT.so.1" }
        .first { access($0, R_OK) == 0 } ?? "libfaketimeMT.so.1"

    /// The folder of an OpenSSL 1.1.1, and the name of its libssl there: `$BROADCASTER_OPENSSL_1`.
    package static let oldOpenSSL: (folder: String, library: String)? = {
        guard let path = getenv("BROADCASTER_OPENSSL_1"), let directory = opendir(path) else {
            return nil
        }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.hasPrefix("libssl") { return (String(cString: path), name) }
        }
        return nil
    }()

    package static var swift: String { path("swift", variable: "BROADCASTER_SWIFT") }

    /// The folder of checkouts of other packages.
    package static var packages: String? {
        getenv("BROADCASTER_PACKAGES").map { String(cString: $0) }
    }

    /// True if `$BROADCASTER_PACKAGES` names a folder with checkouts of these packages.
    package static func hasPackages(_ names: String...) -> Bool {
        guard let packages else { return false }
        return names.allSatisfy { access("\(packages)/\($0)/Package.swift", R_OK) == 0 }
    }

    package static var curl: String { path("curl", variable: "BROADCASTER_CURL") }
    package static var chromium: String { path("chromium", variable: "BROADCASTER_CHROMIUM") }
    package static var chromedriver: String {
        path("chromedriver", variable: "BROADCASTER_CHROMEDRIVER")
    }

    package static let pythonHasSelenium: Bool =
        system("'\(python)' -c 'import selenium' 2>/dev/null") == 0 || isRequired

    /// True if Python can import the modules of the test.
    package static let pythonHasBroadcaster: Bool = {
        let check = "import broadcaster, redis; assert int(redis.__version__.split('.')[0]) < 8"
        return system("'\(python)' -c \"\(check)\" 2>/dev/null") == 0 || isRequired
    }()

    /// The `broadcast` command of this build, or the one that `BROADCASTER_COMMAND` names, such as a static one.
    package static var broadcast: String {
        getenv("BROADCASTER_COMMAND").map { String(cString: $0) } ?? sibling("broadcast")
    }

    /// Another program of this build.
    package static func sibling(_ name: String) -> String {
        guard let pointer = realpath("/proc/self/exe", nil) else { return name }
        defer { free(pointer) }
        let path = String(cString: pointer)
        return path.split(separator: "/").dropLast().map { "/" + $0 }.joined() + "/" + name
    }

    package static func exists(_ path: String) -> Bool {
        access(path, X_OK) == 0
    }

    /// True if these programs are there. A test that needs an absent program is skipped, and fails instead if
    /// `BROADCASTER_REQUIRE_SERVERS=1` demands it.
    package static func areAvailable(_ paths: String...) -> Bool {
        paths.allSatisfy(exists) || isRequired
    }

    package static var isRequired: Bool {
        getenv("BROADCASTER_REQUIRE_SERVERS").map { String(cString: $0) } == "1"
    }

    private static func path(_ name: String, variable: String) -> String {
        if let path = getenv(variable) { return String(cString: path) }
        let search = getenv("PATH").map { String(cString: $0) } ?? ""
        let folders =
            search.split(separator: ":").map(String.init) + ["/usr/bin", "/usr/local/bin"]
        return folders.map { "\($0)/\(name)" }.first(where: exists) ?? name
    }
}
