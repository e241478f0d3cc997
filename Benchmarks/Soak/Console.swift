import Glibc

/// Prints lines that appear at once, also through a pipe.
enum Console {
    static func say(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = write(STDOUT_FILENO, bytes, bytes.count)
    }
}
