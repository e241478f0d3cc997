package import BroadcasterWire

/// A server of the list: by its name, and where to connect to.
package struct PostgresHost: Hashable, Sendable {
    /// The name in the password file and in a certificate: a host's name, the folder of a Unix-domain socket, or the
    /// address where the URL gives nothing else.
    package let name: String
    package let port: UInt16
    package let endpoint: Endpoint

    /// True for a Unix-domain socket.
    var isLocal: Bool {
        if case .unix = endpoint { true } else { false }
    }

    private static let defaultPort: UInt16 = 5432
    static let socketFolder = "/var/run/postgresql"

    /// The servers by the lists `host`, `hostaddr` and `port`, as libpq pairs them (`pqConnectOptions2` in
    /// fe-connect.c, 18): one address for each host, one port for all or one for each; what is empty is the default.
    static func list(
        _ url: [ServerURL.Host], _ settings: inout PostgresSettings,
        _ environment: ServerEnvironment
    ) throws(ServerURLError) -> [PostgresHost] {
        let host = try settings.take(
            "host", part: url.map(\.name).joined(separator: ","), variable: "PGHOST")
        let address = try settings.take("hostaddr", variable: "PGHOSTADDR")
        // A URL with several hosts always has a list of ports, if an empty one: libpq does not ask PGPORT then.
        let port = try settings.take(
            "port", part: url.map { $0.port.map(String.init) ?? "" }.joined(separator: ","),
            variable: "PGPORT")
        let addresses = items(address)
        var names = items(host)
        let count = max(addresses.count, names.count, 1)
        guard addresses.isEmpty || names.isEmpty || addresses.count == names.count else {
            throw ServerURLError(
                "there are \(names.count) hosts and \(addresses.count) addresses (hostaddr): give one"
                    + " for each")
        }
        if names.isEmpty { names = Array(repeating: "", count: count) }
        let ports = try portList(port, count: count)
        var hosts: [PostgresHost] = []
        for index in 0..<count {
            let address = addresses.isEmpty ? "" : addresses[index]
            hosts.append(try one(names[index], address, ports[index], environment))
        }
        return hosts
    }

    private static func items(_ setting: PostgresSettings.Setting?) -> [String] {
        guard let text = setting?.text, !text.isEmpty else { return [] }
        return text.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            .map { String(Substring($0)) }
    }

    private static func portList(
        _ setting: PostgresSettings.Setting?, count: Int
    ) throws(ServerURLError) -> [UInt16] {
        var ports: [UInt16] = []
        for item in items(setting) {
            let number = URLOptions.integer(item).flatMap(UInt16.init(exactly:))
            guard item.isEmpty || number ?? 0 > 0 else {
                throw ServerURLError(
                    "the port is not a number from 1 to 65535 (\(setting?.name ?? "port"))")
            }
            ports.append(number ?? defaultPort)
        }
        if ports.count <= 1 { return Array(repeating: ports.first ?? defaultPort, count: count) }
        guard ports.count == count else {
            throw ServerURLError(
                "there are \(count) hosts and \(ports.count) ports: give one, or one for each")
        }
        return ports
    }

    /// An address wins over the name. A name that is a path is the folder of a Unix-domain socket; none at all is the
    /// usual folder, if a server is there, or else this machine.
    private static func one(
        _ name: String, _ address: String, _ port: UInt16, _ environment: ServerEnvironment
    ) throws(ServerURLError) -> PostgresHost {
        if !address.isEmpty {
            guard isNumeric(address) else {
                throw ServerURLError("hostaddr is no IPv4 or IPv6 address: a name is given by host")
            }
            return PostgresHost(
                name: name.isEmpty ? address : name, port: port,
                endpoint: .tcp(host: address, port: port))
        }
        if name.utf8.first == UInt8(ascii: "@") {
            throw ServerURLError(
                "a host that begins with @ is an abstract socket, which is not possible")
        }
        let folder = name.isEmpty ? socketFolder : name
        let path = "\(folder)/.s.PGSQL.\(port)"
        let isSocket = name.isEmpty ? environment.file(path) != nil : name.hasPrefix("/")
        if isSocket { return PostgresHost(name: folder, port: port, endpoint: .unix(path: path)) }
        let host = name.isEmpty ? "localhost" : name
        return PostgresHost(name: host, port: port, endpoint: .tcp(host: host, port: port))
    }

    /// True where the resolver takes the text for an address, without a request to a name server.
    private static func isNumeric(_ text: String) -> Bool {
        if text.utf8.contains(UInt8(ascii: ":")) {
            // The rest after a % names an interface.
            return text.utf8.prefix { $0 != UInt8(ascii: "%") }.allSatisfy {
                "0123456789abcdefABCDEF:.".utf8.contains($0)
            }
        }
        let numbers = text.utf8.split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false
        )
        .map { URLOptions.integer(Substring($0)) ?? 256 }
        return numbers.count == 4 && numbers.allSatisfy { $0 < 256 }
    }
}
