import BroadcasterWire

/// The logins that a server may ask for: `require_auth`, as libpq 16 has it.
package struct LoginPolicy: Hashable, Sendable {
    package enum Method: String, CaseIterable, Sendable {
        case password
        case md5
        case gss
        case sspi
        case scram = "scram-sha-256"
        case oauth
        /// The server lets everybody in.
        case none
    }

    /// The logins that this client has: a password in the clear only with `allow_cleartext`.
    private static let possible: Set<Method> = [.password, .md5, .scram, .none]

    private let allowed: Set<Method>
    /// The option or the variable, for errors.
    private let name: String

    /// No limit: the server may ask for any login.
    package static let any = LoginPolicy(allowed: Set(Method.allCases), name: "")

    private init(allowed: Set<Method>, name: String) {
        self.allowed = allowed
        self.name = name
    }

    /// - Parameter text: methods, separated by commas, or all with a `!` before them: every one but these.
    init(
        _ text: String, name: String, show: (String) -> String
    ) throws(ServerURLError) {
        var named: Set<Method> = []
        let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let negated = words.count { $0.hasPrefix("!") }
        guard negated == 0 || negated == words.count else {
            throw ServerURLError(
                "\(name) names either what is allowed or, each with a !, what is not")
        }
        for word in words {
            let plain = negated > 0 ? String(word.dropFirst()) : word
            guard let method = Method(rawValue: plain) else {
                let known = ForeignOption.list(Method.allCases.map(\.rawValue))
                throw ServerURLError("\(name) is a list of \(known), not \(show(word))")
            }
            guard named.insert(method).inserted else {
                throw ServerURLError("\(name) names \(method.rawValue) twice")
            }
        }
        allowed = negated > 0 ? Set(Method.allCases).subtracting(named) : named
        self.name = name
        guard !allowed.isDisjoint(with: LoginPolicy.possible) else {
            throw ServerURLError(
                "\(name) allows \(shown) alone, and possible are"
                    + " \(LoginPolicy.list(LoginPolicy.possible))")
        }
    }

    /// Why a login by this method is refused, or nil.
    func refusal(of method: Method) -> String? {
        if allowed.contains(method) { return nil }
        let wish =
            method == .none
            ? "the server asks for no login" : "the server asks for a login by \(method.rawValue)"
        return "\(wish), and \(name) allows \(shown) alone"
    }

    private var shown: String { LoginPolicy.list(allowed) }

    private static func list(_ methods: Set<Method>) -> String {
        ForeignOption.list(Method.allCases.filter(methods.contains).map(\.rawValue))
    }
}
