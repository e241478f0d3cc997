import Glibc

/// Standard output and standard error, a whole line at a time, straight to the descriptors.
enum Console {
    static func output(_ line: String) {
        write(Array((line + "\n").utf8), to: STDOUT_FILENO)
    }

    static func error(_ line: String) {
        write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { space in
                unsafe Glibc.write(descriptor, space.baseAddress, space.count)
            }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                // Nobody reads any more: there is nobody to tell, either.
                exit(Failure.Status.other.rawValue)
            }
        }
    }
}

/// One object of JSON on one line.
struct JSONLine {
    private var text = "{"

    init(type: String) {
        add("type", type)
    }

    mutating func add(_ name: String, _ value: String) {
        addName(name)
        text += JSONLine.quoted(value)
    }

    mutating func add(_ name: String, _ value: Int?) {
        addName(name)
        text += value.map(String.init) ?? "null"
    }

    mutating func add(_ name: String, _ duration: Duration) {
        addName(name)
        text += duration.inSeconds
    }

    mutating func add(_ name: String, _ values: [String]) {
        addName(name)
        text += "[" + values.map(JSONLine.quoted).joined(separator: ",") + "]"
    }

    var line: String { text + "}" }

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
    var inSeconds: String {
        let parts = components
        let milliseconds = String(parts.attoseconds / 1_000_000_000_000_000)
        let zeros = String(repeating: "0", count: 3 - milliseconds.count)
        return "\(parts.seconds).\(zeros)\(milliseconds)"
    }
}

/// Base64 (RFC 4648 §4).
enum Base64 {
    private static let alphabet = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0...group.count {
                text.append(alphabet[Int(bits >> UInt32(18 - 6 * place)) & 63])
            }
            text += repeatElement(UInt8(ascii: "="), count: 3 - group.count)
        }
        return String(decoding: text, as: UTF8.self)
    }
}
