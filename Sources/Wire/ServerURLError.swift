/// The mistake in a URL, in words, without any secret of it.
public struct ServerURLError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The mistake in words.
    public let description: String

    /// A mistake, in words that show no password.
    public init(_ description: String) {
        self.description = description
    }
}
