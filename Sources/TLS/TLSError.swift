package import BroadcasterWire

/// The reason for which there is no security, or no more.
package struct TLSError: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Kind: Hashable, Sendable {
        /// A certificate, a file or a setting, on this side or the other. It does not heal by itself.
        case refused
        /// This machine has no library that would do.
        case missing
        /// The connection has ended, or what came on it is damaged.
        case lost
    }

    package let kind: Kind
    package let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// - Parameter reason: the loader's words.
    static func missingLibrary(_ reason: String) -> TLSError {
        TLSError(
            .missing,
            "TLS needs OpenSSL 3 or 1.1.1, and its library could not be opened (\(reason)). Install"
                + " libssl3 (Debian, Ubuntu, Alpine) or openssl-libs (Fedora, RHEL); a statically"
                + " linked program cannot open it")
    }

    static func unsuitableLibrary(_ reason: String) -> TLSError {
        TLSError(.missing, "TLS needs OpenSSL 3 or 1.1.1: \(reason)")
    }
}

extension LaneFailure {
    package init(_ error: TLSError) {
        switch error.kind {
        case .refused: self = .insecure(error.description)
        case .missing: self = .notSecurable(error.description)
        case .lost: self = .lost(error.description)
        }
    }
}
