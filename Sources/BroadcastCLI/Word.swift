import Glibc

/// A word of the command line, by its bytes: it is text only where it has to be.
struct Word: Hashable {
    let bytes: [UInt8]

    /// The word as text; nil if its bytes are not UTF-8.
    var text: String? { String(validating: bytes, as: UTF8.self) }

    /// The word for an error: bytes that are no printable ASCII become `\xE9`.
    var shown: String {
        let pieces = bytes.map { byte in
            (0x20..<0x7f).contains(byte)
                ? String(UnicodeScalar(byte))
                : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
        return pieces.joined()
    }

    var isOption: Bool { bytes.starts(with: "--".utf8) }

    /// The words after the program's name. (`CommandLine.arguments` puts U+FFFD for bytes that are not UTF-8.)
    static var all: [Word] {
        var words: [Word] = []
        for index in 1..<max(Int(CommandLine.argc), 1) {
            guard let word = unsafe CommandLine.unsafeArgv[index] else { break }
            let bytes = unsafe UnsafeRawBufferPointer(start: word, count: strlen(word))
            words.append(Word(bytes: unsafe Array(bytes)))
        }
        return words
    }
}
