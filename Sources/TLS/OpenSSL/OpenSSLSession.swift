/// An SSL_SESSION, to resume.
final class OpenSSLSession: Sendable {
    private let library: OpenSSL
    let address: UInt

    init(_ library: OpenSSL, _ address: UInt) {
        self.library = library
        self.address = address
    }

    deinit {
        unsafe library.freeSession(OpaquePointer(bitPattern: address))
    }
}
