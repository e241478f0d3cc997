internal import BroadcasterWire

/// A server by its parts, for a program that has those and no URL: nothing needs to be percent-encoded, and nothing that
/// stands in a password can be taken for a host.
///
/// ```swift
/// let broadcast = try Broadcast(.redis(host: "cache.internal", password: secret))
/// ```
///
/// A part means what it means in a URL, and what is possible there is possible by `options`, by the same words. No
/// description of a server shows its password.
public struct BroadcastServer: Sendable, CustomStringConvertible {
    /// The same as a URL.
    let url: String
    /// The server without its login, such as `redis://cache.internal:6379`.
    public let description: String

    /// Redis or Valkey, at a host and a port.
    ///
    /// - Parameters:
    ///   - host: a name, or an address.
    ///   - port: nil is 6379.
    ///   - user: nil is the user `default`.
    ///   - password: nil is no login.
    ///   - database: nil is 0.
    ///   - tls: over TLS, as `rediss://`.
    ///   - options: those of a URL: `["protocol": "2"]`.
    public static func redis(
        host: String = "localhost", port: Int? = nil, user: String? = nil, password: String? = nil,
        database: Int? = nil, tls: Bool = false, options: [String: String] = [:]
    ) -> BroadcastServer {
        let isIPv6 = host.utf8.contains(UInt8(ascii: ":"))
        let name = isIPv6 ? "[\(Percent.encode(host, keeping: ":"))]" : Percent.encode(host)
        let address = name + (port.map { ":\($0)" } ?? "")
        return BroadcastServer(
            scheme: tls ? "rediss" : "redis", login: login(user, password), address: address,
            path: database.map { "/\($0)" } ?? "", options, place: address)
    }

    /// Redis or Valkey on this machine, at a Unix-domain socket.
    public static func redis(
        socket path: String, user: String? = nil, password: String? = nil, database: Int? = nil,
        options: [String: String] = [:]
    ) -> BroadcastServer {
        var options = options
        options["database"] = database.map(String.init) ?? options["database"]
        return BroadcastServer(
            scheme: "redis+unix", login: login(user, password), address: "",
            path: Percent.encode(path, keeping: "/"), options, place: path)
    }

    /// Postgres, at a host and a port. What is not given comes from the variables of libpq, as in a URL.
    ///
    /// - Parameters:
    ///   - host: a name, an address, or the folder of a Unix-domain socket; several between commas are tried in their order.
    ///   - port: nil is 5432.
    ///   - user: nil is the user of this process.
    ///   - password: nil leaves it to the password file.
    ///   - database: nil is the user's name.
    ///   - options: those of a URL: `["large_payloads": "refuse"]`.
    public static func postgres(
        host: String? = nil, port: Int? = nil, user: String? = nil, password: String? = nil,
        database: String? = nil, options: [String: String] = [:]
    ) -> BroadcastServer {
        var options = options
        // As options, since a part of the URL has no room for a folder or a list.
        options["host"] = host ?? options["host"]
        options["port"] = port.map(String.init) ?? options["port"]
        return BroadcastServer(
            scheme: "postgres", login: login(user, password), address: "",
            path: database.map { "/" + Percent.encode($0) } ?? "", options,
            place: [host ?? "", port.map(String.init) ?? ""].joined(separator: ":"))
    }

    /// No server: inside this process, as `memory://`.
    public static let memory = BroadcastServer(scheme: "memory", login: "", address: "")

    private init(
        scheme: String, login: String, address: String, path: String = "",
        _ options: [String: String] = [:], place: String = ""
    ) {
        let query = options.sorted { $0.key < $1.key }
            .map { "\(Percent.encode($0.key))=\(Percent.encode($0.value))" }
        url =
            "\(scheme)://\(login)\(address)\(path)"
            + (query.isEmpty ? "" : "?" + query.joined(separator: "&"))
        description = "\(scheme)://\(place)"
    }

    private static func login(_ user: String?, _ password: String?) -> String {
        if user == nil, password == nil { return "" }
        return Percent.encode(user ?? "") + (password.map { ":" + Percent.encode($0) } ?? "") + "@"
    }
}

extension BroadcastServer: CustomDebugStringConvertible, CustomReflectable {
    /// The same as `description`.
    public var debugDescription: String { description }

    /// Shows no more than the description does: `dump` would else print the password.
    public var customMirror: Mirror { Mirror(self, children: ["server": description]) }
}

extension Broadcast {
    /// A broadcast over a server that is given by its parts; nothing is connected yet.
    ///
    /// - Throws: `.invalidURL`, which says what is wrong and never shows a password.
    public convenience init(
        _ server: BroadcastServer, options: BroadcastOptions = BroadcastOptions()
    ) throws(BroadcastError) {
        try self.init(server.url, options: options)
    }
}
