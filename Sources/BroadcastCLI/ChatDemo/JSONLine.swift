/// One object of JSON on one line.
package struct JSONLine {
    private var text = "{"

    package init(type: String) {
        add("type", type)
    }

    package mutating func add(_ name: String, _ value: String) {
        addName(name)
        text += JSONLine.quoted(value)
    }

    package mutating func add(_ name: String, _ value: Int?) {
        addName(name)
        text += value.map(String.init) ?? "null"
    }

    package mutating func add(_ name: String, _ duration: Duration) {
        addName(name)
        text += duration.inSeconds
    }

    package mutating func add(_ name: String, _ values: [String]) {
        addName(name)
        text += "[" + values.map(JSONLine.quoted).joined(separator: ",") + "]"
    }

    package var line: String { text + "}" }

    private mutating func addName(_ name: String) {
        if text.utf8.count > 1 { text += "," }
        text += "\"\(name)\":"
    }

    private static func quoted(_ value: String) -> String {
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..<" ":
                let digits = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text + "\""
    }
}

extension Duration {
    /// Seconds with milliseconds, such as `1.204`.
    package var inSeconds: String {
        let parts = components
        let milliseconds = String(parts.attoseconds / 1_000_000_000_000_000)
        let zeros = String(repeating: "0", count: 3 - milliseconds.count)
        return "\(parts.seconds).\(zeros)\(milliseconds)"
    }
}
