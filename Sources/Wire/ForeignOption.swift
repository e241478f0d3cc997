/// An option, or an environment variable, that other clients know and that has nothing to set here.
///
/// A value that changes nothing is taken, so that a URL in use elsewhere can be used here. One that asks for what
/// is not there is refused by the option's name: passed over, it would promise more than is kept.
package struct ForeignOption: Sendable {
    package enum Values: Sendable {
        /// None changes anything here.
        case any
        /// A number, which changes nothing here.
        case integer
        /// `true`, `no`, `1` and the like, which change nothing here.
        case boolean
        /// The words that change nothing, and the others with what they would need.
        case words([String], refused: [String: String] = [:])
        /// The values that the test accepts; `expected` names them in an error.
        case matching(expected: String, @Sendable (String) -> Bool)
        /// No value is taken, for this reason.
        case none(String)
    }

    package let name: String
    /// The environment variable that stands in where there is no such option.
    package let variable: String?
    private let values: Values

    package init(_ name: String, _ variable: String? = nil, _ values: Values) {
        self.name = name
        self.variable = variable
        self.values = values
    }

    /// - Parameters:
    ///   - name: what an error calls it: the option or the variable.
    ///   - show: what stands for the text in an error.
    package func check(
        _ text: String, as name: String, show: (String) -> String
    ) throws(ServerURLError) {
        switch values {
        case .any: break
        case .integer:
            let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
            guard !digits.isEmpty, URLOptions.integer(digits) != nil else {
                throw ServerURLError("\(name) is not a number: \(show(text))")
            }
        case .boolean:
            guard ForeignOption.truth(text) != nil else {
                throw ServerURLError("\(name) is true or false, not \(show(text))")
            }
        case .words(let taken, let refused):
            if let need = refused[text] { throw ServerURLError("\(name)=\(text) \(need)") }
            guard taken.contains(text) else {
                throw ServerURLError("\(name) is \(ForeignOption.list(taken)), not \(show(text))")
            }
        case .matching(let expected, let test):
            guard test(text) else {
                throw ServerURLError("\(name) is \(expected), not \(show(text))")
            }
        case .none(let reason): throw ServerURLError("\(name) \(reason)")
        }
    }

    /// The words for true and false of redis-py's `to_bool` and Postgres's `parse_bool`, without abbreviations.
    package static func truth(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true", "t", "yes", "y", "on", "1": true
        case "false", "f", "no", "n", "off", "0": false
        default: nil
        }
    }

    /// `a, b or c`.
    package static func list(_ words: [String]) -> String {
        guard let last = words.last, words.count > 1 else { return words.joined() }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }
}
