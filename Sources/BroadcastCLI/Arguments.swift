import Broadcaster
import BroadcasterWire
import Glibc

/// The words of a command line, sorted into options and the rest.
struct Arguments {
    private(set) var positional: [Word] = []
    private var values: [String: String] = [:]
    private var flags: Set<String> = []

    /// - Parameters:
    ///   - valued: options that take a value, with their dashes.
    ///   - flags: options that take none.
    ///   - rest: what else a word may be, for the hint that it may follow `--`.
    init(
        _ words: [Word], valued: Set<String>, flags known: Set<String>, rest what: String? = nil
    ) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.isOption else {
                positional.append(word)
                continue
            }
            if word.bytes.count == 2 {
                positional += rest
                break
            }
            let end = word.bytes.firstIndex(of: UInt8(ascii: "="))
            let name = Word(bytes: Array(word.bytes[..<(end ?? word.bytes.endIndex)])).shown
            let given = end.map { Word(bytes: Array(word.bytes[($0 + 1)...])) }
            guard values[name] == nil, !flags.contains(name) else {
                throw Failure(.usage, "\(name) is given twice")
            }
            if known.contains(name) {
                if given != nil { throw Failure(.usage, "\(name) takes no value") }
                flags.insert(name)
            } else if valued.contains(name) {
                guard let value = given ?? rest.popFirst() else {
                    throw Failure(.usage, "\(name) needs a value; try --help")
                }
                // Not shown: a URL may have a password in it.
                guard let text = value.text else {
                    throw Failure(.usage, "the value of \(name) is not UTF-8")
                }
                values[name] = text
            } else {
                throw Arguments.unknown(name, valued.union(known), what)
            }
        }
    }

    private static func unknown(_ name: String, _ known: Set<String>, _ what: String?) -> Failure {
        // A URL with its password, if the blank after --url is missing, is not shown.
        let isName = name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
        }
        let hint = what.map { "; \($0) that begins with -- comes after -- alone" } ?? ""
        return Failure(
            .usage,
            "unknown option\(isName ? " \(name)" : ""); possible are"
                + " \(known.sorted().joined(separator: ", "))\(hint)")
    }

    subscript(name: String) -> String? { values[name] }

    func has(_ flag: String) -> Bool { flags.contains(flag) }

    /// The words as names, each once.
    ///
    /// - Parameter what: `channel` or `pattern`.
    func names(_ words: [Word], what: String) throws -> [String] {
        var names: [String] = []
        // By their bytes: two spellings of an accent are two channels.
        var known: Set<Word> = []
        for word in words where known.insert(word).inserted {
            guard let name = word.text else {
                throw Failure(
                    .usage, "the \(what)'s name is not UTF-8, and has to be: \(word.shown)")
            }
            names.append(name)
        }
        return names
    }

    func format() throws -> Format {
        guard let text = values["--format"] else { return .text }
        guard let format = Format(rawValue: text) else {
            throw Failure(.usage, "--format is text or json, not \"\(text)\"")
        }
        return format
    }

    func count(_ name: String) throws -> Int? {
        guard let text = values[name] else { return nil }
        guard let number = Int(text), number > 0 else {
            throw Failure(.usage, "\(name) takes a number above zero, not \"\(text)\"")
        }
        return number
    }

    /// A time as in URLs: `500ms`, `1s`, `2m` or plain seconds, with a fraction if need be.
    func duration(_ name: String) throws -> Duration? {
        guard let text = values[name] else { return nil }
        guard let duration = URLOptions.duration(text), duration > .zero else {
            throw Failure(
                .usage, "\(name) takes seconds above zero, or 500ms, 1s, 2m, not \"\(text)\"")
        }
        return duration
    }

    func position(_ name: String) throws -> MessagePosition? {
        guard let text = values[name] else { return nil }
        guard let position = MessagePosition(text) else {
            throw Failure(
                .usage,
                "\(name) takes a position as --format json prints it, as 1795586786732-2, not \"\(text)\""
            )
        }
        return position
    }

    // MARK: The server

    private static let variable = "BROADCAST_URL"

    /// `--url`, then `$BROADCAST_URL`, then what the command does without.
    func broadcast(orElse fallback: String = "memory://") throws -> Broadcast {
        var options = BroadcastOptions()
        if has("--trace") { options.trace = { Console.error($0) } }
        if let url = values["--url"] {
            if url.isEmpty {
                throw Failure(.usage, "--url is empty: name a server, or leave it out")
            }
            return try Broadcast(url, options: options)
        }
        guard let url = try Arguments.variableURL() else {
            return try Broadcast(fallback, options: options)
        }
        do throws(BroadcastError) {
            return try Broadcast(url, options: options)
        } catch .invalidURL(let text) {
            throw BroadcastError.invalidURL("$\(Arguments.variable): \(text)")
        }
    }

    /// True for `memory://`, which no other process reaches.
    func isMemory() throws -> Bool {
        let url = try values["--url"] ?? Arguments.variableURL() ?? "memory://"
        return url.lowercased().hasPrefix("memory:")
    }

    /// The variable without the blanks and line breaks around it, which env files and files of secrets leave; nil if
    /// it is not set.
    private static func variableURL() throws -> String? {
        guard let value = unsafe getenv(variable) else { return nil }
        let bytes = unsafe Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
        let isBlank = { (byte: UInt8) in byte == 0x20 || (0x09...0x0d).contains(byte) }
        let start = bytes.firstIndex { !isBlank($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start
        guard start < end else {
            throw Failure(.usage, "$\(variable) is empty: name a server, or unset it")
        }
        guard let url = String(validating: bytes[start..<end], as: UTF8.self) else {
            throw Failure(.usage, "$\(variable) is not UTF-8")
        }
        return url
    }
}

enum Format: String {
    case text
    case json
}
