/// The mistake in a URL, in words, without any secret of it.
package struct URLError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}
