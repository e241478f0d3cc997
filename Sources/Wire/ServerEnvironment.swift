/// The facts of the machine that a backend's URL may need: given to the backend, so that it reads nothing itself.
package struct ServerEnvironment: Sendable {
    package struct File: Hashable, Sendable {
        package let text: String
        /// The lowest nine bits of its mode.
        package let permissions: Int

        package init(text: String, permissions: Int) {
            self.text = text
            self.permissions = permissions
        }
    }

    /// An environment variable; nil if it is not set, or empty.
    package let variable: @Sendable (String) -> String?
    /// The file at a path; one that is no text, such as a socket, has an empty text.
    package let file: @Sendable (String) -> File?
    /// The name of the user that this process runs as.
    package let userName: String?
    /// Milliseconds since 1970: for protocols whose messages carry the time.
    package let time: @Sendable () -> Int64
    /// The numbers from zero to below another one, in an order by chance.
    package let order: @Sendable (Int) -> [Int]

    package init(
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
    package static let empty = ServerEnvironment(
        variable: { _ in nil }, file: { _ in nil }, userName: nil)
}
