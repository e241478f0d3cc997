/// The options of a URL: what stands after its `?`.
///
/// Each reader takes the options that it knows; `finish` refuses what nobody took.
package struct URLOptions: Sendable {
    private var values: [(name: String, value: String)] = []
    private var known: [String] = []

    init(_ query: Substring) throws(URLError) {
        for item in query.split(separator: "&") {
            let parts = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = try Percent.decode(parts[0], in: "name of an option")
            guard !values.contains(where: { $0.name == name }) else {
                throw URLError("the option \(URLOptions.show(name)) is given twice")
            }
            let value = try Percent.decode(parts.dropFirst().first ?? "", in: "option \(name)")
            values.append((name, value))
        }
    }

    /// The value of the option, which others may call by one of `aliases`.
    package mutating func take(_ name: String, aliases: [String] = []) -> String? {
        known.append(name)
        let names = [name] + aliases
        guard let index = values.firstIndex(where: { names.contains($0.name) }) else { return nil }
        return values.remove(at: index).value
    }

    /// A time: `500ms`, `1s`, `2m`, or plain seconds.
    package mutating func takeDuration(
        _ name: String, aliases: [String] = []
    ) throws(URLError) -> Duration? {
        guard let text = take(name, aliases: aliases) else { return nil }
        guard let duration = URLOptions.duration(text), duration > .zero else {
            throw URLError(
                "the option \(name) is not a time above zero: \(URLOptions.show(text));"
                    + " write 500ms, 1s, 2m or plain seconds")
        }
        return duration
    }

    package mutating func takeInteger(
        _ name: String, aliases: [String] = [], in range: ClosedRange<Int>
    ) throws(URLError) -> Int? {
        guard let text = take(name, aliases: aliases) else { return nil }
        guard let number = URLOptions.integer(text), range.contains(number) else {
            throw URLError(
                "the option \(name) is not a number from \(range.lowerBound) to"
                    + " \(range.upperBound): \(URLOptions.show(text))")
        }
        return number
    }

    /// Refuses what nobody has taken.
    package func finish(scheme: String) throws(URLError) {
        // One name may have two spellings in a URL: both were meant, only one was taken.
        guard let (name, _) = values.first else { return }
        throw URLError(
            "unknown or repeated option \(URLOptions.show(name)) in a \(scheme) URL;"
                + " possible are \(known.sorted().joined(separator: ", "))")
    }

    /// Decimal digits alone: no sign, no blank.
    package static func integer(_ text: some StringProtocol) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    package static func duration(_ text: String) -> Duration? {
        let units: [(suffix: String, milliseconds: Double)] = [
            ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
        ]
        let unit = units.first { text.hasSuffix($0.suffix) } ?? ("", 1000)
        let digits = text.dropLast(unit.suffix.count)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") }),
            let number = Double(digits), number * unit.milliseconds <= 366 * 86_400_000
        else { return nil }
        return .milliseconds(number * unit.milliseconds)
    }

    /// A name or value that an error shows: cut, in quotes, without control characters.
    package static func show(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(40).map { $0.escaped(asASCII: false) }.joined()
        return "\"\(shown)\(text.unicodeScalars.count > 40 ? "…" : "")\""
    }
}
