/// The rules for subjects (`IsValidSubject` in server/sublist.go of nats-server 2.9).
enum Subject {
    /// The longest line of the protocol that the server takes (`MAX_CONTROL_LINE_SIZE`, 4,096 bytes), less the rest of PUB.
    private static let longest = 4000

    /// The reason for which this is no subject; nil where it is one.
    ///
    /// - Parameter mayMatch: whether `*` and `>` may stand for tokens.
    static func refusal(of name: String, mayMatch: Bool = false) -> String? {
        let bytes = name.utf8
        if bytes.isEmpty { return "a NATS subject has at least one byte" }
        if bytes.count > longest {
            return "a NATS subject has at most \(longest) bytes, this one has \(bytes.count)"
        }
        if bytes.contains(where: { $0 <= 0x20 || $0 == 0x7f }) {
            return "a NATS subject has no blank and no control character"
        }
        let tokens = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for (index, token) in tokens.enumerated() {
            if token.isEmpty { return "a NATS subject has no empty token between its dots" }
            let isAny = token.elementsEqual("*".utf8)
            let isRest = token.elementsEqual(">".utf8)
            if isRest, mayMatch, index < tokens.count - 1 { return "> ends a NATS pattern" }
            if isAny || isRest, !mayMatch {
                return "* and > as tokens make a pattern of a NATS subject"
            }
        }
        return nil
    }
}
