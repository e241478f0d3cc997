import Broadcaster
import Glibc

/// The words of a command line, sorted into options and the rest.
struct Arguments {
    private(set) var positional: [String] = []
    private var values: [String: String] = [:]
    private var flags: Set<String> = []

    /// - Parameters:
    ///   - valued: options that take a value, with their dashes.
    ///   - flags: options that take none.
    init(_ words: [String], valued: Set<String>, flags known: Set<String>) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                positional += rest
                break
            }
            guard word.hasPrefix("--"), word != "-" else {
                positional.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            if known.contains(name), parts.count == 1 {
                flags.insert(name)
            } else if valued.contains(name) {
                guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
                    throw Failure(.usage, "\(name) needs a value; try --help")
                }
                values[name] = value
            } else {
                let possible = valued.union(known).sorted().joined(separator: ", ")
                throw Failure(.usage, "unknown option \(name); possible are \(possible)")
            }
        }
    }

    subscript(name: String) -> String? { values[name] }

    func has(_ flag: String) -> Bool { flags.contains(flag) }

    /// `--url`, then `$BROADCAST_URL`, then `memory://`.
    var url: String {
        if let url = values["--url"] { return url }
        return unsafe getenv("BROADCAST_URL").map { unsafe String(cString: $0) } ?? "memory://"
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

    /// Seconds, with a fraction if need be.
    func seconds(_ name: String) throws -> Duration? {
        guard let text = values[name] else { return nil }
        guard let number = Double(text), number > 0, number <= 1e9 else {
            throw Failure(.usage, "\(name) takes seconds above zero, not \"\(text)\"")
        }
        return .seconds(number)
    }

    /// The options that all commands share.
    func options() -> BroadcastOptions {
        var options = BroadcastOptions()
        if has("--trace") { options.trace = { Console.error($0) } }
        return options
    }
}

enum Format: String {
    case text
    case json
}
