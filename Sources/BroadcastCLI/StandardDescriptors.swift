import Glibc

/// The numbers 0, 1 and 2, also where the program was started without them.
///
/// The first pipe or socket would get such a number, and be read as standard input or written to as standard output. So
/// /dev/null is opened in their place, before anything else is opened.
enum StandardDescriptors {
    /// Those that were closed at the start.
    static let closed = open()

    /// Opens them. To be called before anything else is opened.
    static func prepare() {
        _ = closed
    }

    private static func open() -> Set<Int32> {
        var closed: Set<Int32> = []
        for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0
        {
            closed.insert(number)
            // Standard output is opened for reading, so that writing fails as it would without: what was to be printed
            // is lost, and the exit status says so. What goes to standard error may be lost (2>&- asks for that).
            let mode = number == STDERR_FILENO ? O_WRONLY : O_RDONLY
            // The lowest number that is free, which is this one.
            guard unsafe Glibc.open("/dev/null", mode) == number else {
                exit(Failure.Status.other.rawValue)
            }
        }
        return closed
    }
}
