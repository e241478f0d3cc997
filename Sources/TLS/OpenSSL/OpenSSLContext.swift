internal import Glibc

/// An SSL_CTX. Once it is built, connections on any thread may share it.
final class OpenSSLContext: Sendable {
    let library: OpenSSL
    private let address: UInt
    var pointer: OpaquePointer? { unsafe OpaquePointer(bitPattern: address) }

    init?(_ library: OpenSSL, lowest: Int, highest: Int?, verifies: Bool) {
        self.library = library
        address = unsafe UInt(bitPattern: library.newContext(library.clientMethod()))
        if address == 0 { return nil }
        // SSL_CTRL_SET_MIN_PROTO_VERSION, …_MAX_…; SSL_CTRL_MODE: partial write, moving buffer, auto retry, release
        // buffers; SSL_CTRL_SET_SESS_CACHE_MODE: client, kept by us alone; SSL_OP_NO_RENEGOTIATION.
        _ = unsafe library.controlContext(pointer, 123, lowest, nil)
        if let highest { _ = unsafe library.controlContext(pointer, 124, highest, nil) }
        _ = unsafe library.controlContext(pointer, 33, 0x1 | 0x2 | 0x4 | 0x10, nil)
        _ = unsafe library.controlContext(pointer, 44, 0x1 | 0x100 | 0x200, nil)
        _ = unsafe library.setOptions(pointer, 1 << 30)
        unsafe library.setVerify(pointer, verifies ? 1 : 0, verifies ? noteFailure : nil)
        unsafe library.setNewSession(pointer, noteSession)
        unsafe library.setPassword(pointer, givePassword)
    }

    deinit {
        unsafe library.freeContext(pointer)
    }

    func trustSystem() -> Bool {
        unsafe library.trustSystem(pointer) == 1
    }

    /// Trusts the certificates, and adds the lists of revoked ones, of a file or a folder.
    func trust(file: String?, folder: String?) -> Bool {
        if let file { return unsafe library.trust(pointer, file, nil) == 1 }
        if let folder { return unsafe library.trust(pointer, nil, folder) == 1 }
        return true
    }

    /// Trusts the certificates in a text. The result is how many there are.
    func trust(pem: String) -> Int {
        let buffer = unsafe library.newBuffer(library.memory())
        defer { _ = unsafe library.freeBuffer(buffer) }
        _ = unsafe library.writeBuffer(buffer, pem, CInt(clamping: pem.utf8.count))
        var count = 0
        while let found = unsafe library.readCertificate(buffer, nil, nil, nil) {
            if unsafe library.addCertificate(library.store(pointer), found) == 1 { count += 1 }
            unsafe library.freeCertificate(found)
        }
        return count
    }

    func use(certificate: String) -> Bool {
        unsafe library.useCertificate(pointer, certificate) == 1
    }

    /// Takes the key of the certificate. Without a password for it, an encrypted one is refused.
    func use(key: String, password: String?) -> Bool {
        guard let password else { return unsafe library.useKey(pointer, key, 1) == 1 }
        return unsafe password.withCString { text in
            unsafe library.setPasswordData(pointer, UnsafeMutableRawPointer(mutating: text))
            defer { unsafe library.setPasswordData(pointer, nil) }
            return unsafe library.useKey(pointer, key, 1) == 1
        }
    }

    var keyFits: Bool { unsafe library.checkKey(pointer) == 1 }
}

/// Gives the password to OpenSSL, which otherwise would ask for it on the terminal.
private let givePassword: OpenSSL.Password = { space, size, _, data in
    guard let space = unsafe space, let data = unsafe data else { return -1 }
    let length = unsafe strlen(data.assumingMemoryBound(to: CChar.self))
    guard length < size else { return -1 }
    unsafe memcpy(space, data, length)
    return CInt(length)
}

/// Notes the certificate that is at fault: afterwards only the number of the fault is known.
private let noteFailure: OpenSSL.Verify = { isFine, store in
    guard isFine == 0, let library = OpenSSL.current,
        let connection = unsafe library.verifiedData(store, library.connectionIndex()),
        let data = unsafe library.data(OpaquePointer(connection), 0)
    else { return isFine }
    let notes = unsafe Unmanaged<OpenSSLConnection.Notes>.fromOpaque(data).takeUnretainedValue()
    notes.failedDepth = unsafe Int(library.failedDepth(store))
    notes.failed = unsafe library.failedCertificate(store).map { unsafe library.facts(of: $0) }
    return isFine
}

/// Keeps a session for the next connection. 1: the caller is its owner now.
private let noteSession: OpenSSL.NewSession = { connection, session in
    guard let library = OpenSSL.current, let data = unsafe library.data(connection, 0) else {
        return 0
    }
    let notes = unsafe Unmanaged<OpenSSLConnection.Notes>.fromOpaque(data).takeUnretainedValue()
    notes.session = OpenSSLSession(library, UInt(bitPattern: session))
    return 1
}
