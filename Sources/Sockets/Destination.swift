/// The endpoint of a connection: a host and a port, or a Unix-domain socket.
package enum Destination: Hashable, Sendable, CustomStringConvertible {
    case host(String, port: UInt16)
    case unix(path: String)

    package var description: String {
        switch self {
        case .host(let name, let port): "\(name):\(port)"
        case .unix(let path): path
        }
    }
}
