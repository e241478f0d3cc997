/// The facts of the machine that a backend's URL may need: given to the backend, so that it reads nothing itself.
public struct ServerEnvironment: Sendable {
    /// A file that was read.
    public struct File: Hashable, Sendable {
        /// Its content.
        public let text: String
        /// The lowest nine bits of its mode.
        public let permissions: Int

        /// A file, for tests.
        public init(text: String, permissions: Int) {
            self.text = text
            self.permissions = permissions
        }
    }

    /// An environment variable; nil if it is not set, or empty.
    public let variable: @Sendable (String) -> String?
    /// The file at a path; one that is no text, such as a socket, has an empty text.
    public let file: @Sendable (String) -> File?
    /// The name of the user that this process runs as.
    public let userName: String?
    /// Milliseconds since 1970: for protocols whose messages carry the time.
    public let time: @Sendable () -> Int64
    /// The numbers from zero to below another one, in an order by chance.
    public let order: @Sendable (Int) -> [Int]

    /// An environment of such functions.
    public init(
        variable: @escaping @Sendable (String) -> String?,
        file: @escaping @Sendable (String) -> File?, userName: String?,
        time: @escaping @Sendable () -> Int64 = { 0 },
        order: @escaping @Sendable (Int) -> [Int] = { Array(0..<$0) }
    ) {
        self.variable = variable
        self.file = file
        self.userName = userName
        self.time = time
        self.order = order
    }

    /// A machine without anything, for tests.
    public static let empty = ServerEnvironment(
        variable: { _ in nil }, file: { _ in nil }, userName: nil)
}
