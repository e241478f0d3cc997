internal import Glibc

/// A failed call of the operating system: its name, its subject and the reason.
package struct SocketError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String
    /// The `errno`, or 0 for an error without one.
    package let code: Int32

    package init(_ call: String, _ subject: String = "", code: Int32) {
        let place = subject.isEmpty ? call : "\(call) \(subject)"
        description = "\(place): \(SocketError.text(of: code))"
        self.code = code
    }

    package init(_ description: String) {
        self.description = description
        code = 0
    }

    /// True if the system has heard nothing of the peer, rather than that the peer has ended the connection.
    package var isSilence: Bool {
        [ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN].contains(code)
    }

    private static func text(of code: Int32) -> String {
        let message = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "unknown error"
        return names[code].map { "\(message) (\($0))" } ?? "\(message) (errno \(code))"
    }

    private static let names: [Int32: String] = [
        EACCES: "EACCES", EADDRINUSE: "EADDRINUSE", EADDRNOTAVAIL: "EADDRNOTAVAIL",
        ECONNABORTED: "ECONNABORTED", ECONNREFUSED: "ECONNREFUSED", ECONNRESET: "ECONNRESET",
        EHOSTUNREACH: "EHOSTUNREACH", EMFILE: "EMFILE", ENETUNREACH: "ENETUNREACH",
        ENFILE: "ENFILE", ENOBUFS: "ENOBUFS", ENOENT: "ENOENT", ENOMEM: "ENOMEM",
        ENOTCONN: "ENOTCONN", ENOTSOCK: "ENOTSOCK", EPERM: "EPERM", EPIPE: "EPIPE",
        ETIMEDOUT: "ETIMEDOUT",
    ]
}
