/// The options of a URL: what stands after its `?`.
///
/// Each reader takes the options that it knows; `finish` refuses what nobody took. An option that has several
/// spellings may be given in more than one of them where all say the same; else both were meant and one would be
/// passed over.
public struct URLOptions: Sendable {
    private var values: [(name: String, value: String)] = []
    private var known: [String] = []
    /// False where a password may stand in the URL: a piece of it, if it was written wrongly, may then be anywhere.
    private let showsValues: Bool

    init(_ query: Substring, showsValues: Bool) throws(ServerURLError) {
        self.showsValues = showsValues
        for item in query.utf8.split(separator: UInt8(ascii: "&")) {
            let end = item.firstIndex(of: UInt8(ascii: "="))
            let name = try Percent.decode(
                Substring(item[..<(end ?? item.endIndex)]), in: "name of an option")
            guard let end else {
                throw ServerURLError("the option \(show(name)) has no = and no value")
            }
            guard !values.contains(where: { $0.name == name }) else {
                throw ServerURLError("the option \(show(name)) is given twice")
            }
            let value = try Percent.decode(
                Substring(item[item.index(after: end)...]), in: "option \(show(name))")
            values.append((name, value))
        }
    }

    // MARK: Taking

    /// The value of the option, which others may call by one of `aliases`.
    ///
    /// - Parameter isListed: whether the error for an unknown option names this one among those that are possible.
    public mutating func take(
        _ name: String, aliases: [String] = [], isListed: Bool = true,
        beside part: (place: String, value: String)? = nil
    ) throws(ServerURLError) -> String? {
        try take(name, aliases: aliases, isListed: isListed, beside: part) { (_, text) in text }
    }

    /// A time: `500ms`, `1s`, `2m`, or plain seconds.
    public mutating func takeDuration(
        _ name: String, aliases: [String] = []
    ) throws(ServerURLError) -> Duration? {
        let options = self
        return try take(name, aliases: aliases) { (spelling, text) throws(ServerURLError) in
            try options.duration(spelling, text)
        }
    }

    /// A time above zero, from an option's text.
    public func duration(_ name: String, _ text: String) throws(ServerURLError) -> Duration {
        guard let duration = URLOptions.duration(text), duration > .zero else {
            throw ServerURLError(
                "the option \(name) is not a time above zero: \(show(text));"
                    + " write 500ms, 1s, 2m or plain seconds")
        }
        return duration
    }

    /// A number in a range.
    public mutating func takeInteger(
        _ name: String, aliases: [String] = [], in range: ClosedRange<Int>,
        beside part: (place: String, value: Int)? = nil
    ) throws(ServerURLError) -> Int? {
        let options = self
        return try take(name, aliases: aliases, beside: part) {
            (spelling, text) throws(ServerURLError) in
            guard let number = URLOptions.integer(text), range.contains(number) else {
                throw ServerURLError(
                    "the option \(spelling) is not a number from \(range.lowerBound) to"
                        + " \(range.upperBound): \(options.show(text))")
            }
            return number
        }
    }

    /// The value that the option has, in whichever spelling, as `read` understands it.
    ///
    /// - Parameters:
    ///   - part: a part of the URL that says the same, and what an error calls it.
    ///   - read: gets the spelling, to name in an error, and the text.
    public mutating func take<Value: Equatable>(
        _ name: String, aliases: [String] = [], isListed: Bool = true,
        beside part: (place: String, value: Value)? = nil,
        as read: (String, String) throws(ServerURLError) -> Value
    ) throws(ServerURLError) -> Value? {
        if isListed { known.append(name) }
        let spellings = [name] + aliases
        let given = values.filter { spellings.contains($0.name) }
        values.removeAll { spellings.contains($0.name) }
        var meanings: [(place: String, value: Value)] = part.map { [$0] } ?? []
        for (spelling, text) in given {
            meanings.append(("the option \(spelling)", try read(spelling, text)))
        }
        guard let first = meanings.first else { return nil }
        if let other = meanings.first(where: { $0.value != first.value }) {
            throw ServerURLError(
                "\(first.place) and \(other.place) say different things: give one of them")
        }
        return first.value
    }

    /// Refuses what nobody has taken.
    public func finish(scheme: String) throws(ServerURLError) {
        guard let (name, _) = values.first else { return }
        throw ServerURLError(
            "unknown option \(show(name)) in a \(scheme) URL;"
                + " possible are \(known.sorted().joined(separator: ", "))")
    }

    // MARK: Words

    /// A piece of the URL as an error shows it; where it may be a piece of a password it stays out.
    public func show(_ piece: String) -> String {
        showsValues ? URLOptions.show(piece) : "(not shown, the URL has a login)"
    }

    /// Decimal digits alone: no sign, no blank.
    public static func integer(_ text: some StringProtocol) -> Int? {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(text) : nil
    }

    /// A time; nil where the text is none, or one of more than a year.
    public static func duration(_ text: String) -> Duration? {
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
    public static func show(_ text: String) -> String {
        let shown = text.unicodeScalars.prefix(40).map { $0.escaped(asASCII: false) }.joined()
        return "\"\(shown)\(text.unicodeScalars.count > 40 ? "…" : "")\""
    }
}
