/// An SSL with two buffers in memory: what the peer has sent, and what is to be sent to it. Belongs to one owner.
///
/// OpenSSL's errors stand in a queue of the thread: each call clears it, and its error is read before anything else
/// happens there (ERR_get_error(3), SSL_get_error(3)).
final class OpenSSLConnection {
    /// What OpenSSL tells by calling back.
    final class Notes {
        /// The certificate that the verification failed at, and its place in the chain, from 0 for the server's own.
        var failed: CertificateFacts?
        var failedDepth = 0
        /// The session that the server last offered to resume.
        var session: OpenSSLSession?
    }

    /// The outcome of a call (SSL_get_error(3)).
    enum Outcome: CInt {
        case done = 0
        case failed = 1
        case wantsMore = 2
        /// OpenSSL 1.1.1 says so of an end without close_notify.
        case ended = 5
        case closed = 6
    }

    let notes = Notes()
    private let library: OpenSSL
    /// Outlives the connection.
    private let context: OpenSSLContext
    private let address: UInt
    private let incoming: UInt
    private let outgoing: UInt

    private var pointer: OpaquePointer? { unsafe OpaquePointer(bitPattern: address) }
    private var input: OpaquePointer? { unsafe OpaquePointer(bitPattern: incoming) }
    private var output: OpaquePointer? { unsafe OpaquePointer(bitPattern: outgoing) }

    init?(_ context: OpenSSLContext) {
        library = context.library
        self.context = context
        address = unsafe UInt(bitPattern: library.newConnection(context.pointer))
        incoming = unsafe UInt(bitPattern: library.newBuffer(library.memory()))
        outgoing = unsafe UInt(bitPattern: library.newBuffer(library.memory()))
        guard address != 0, incoming != 0, outgoing != 0 else { return nil }
        // It owns the buffers from here on.
        unsafe library.setBuffers(pointer, input, output)
        expectsMore = true
        _ = unsafe library.setData(pointer, 0, Unmanaged.passUnretained(notes).toOpaque())
        unsafe library.becomeClient(pointer)
    }

    deinit {
        unsafe library.freeConnection(pointer)
    }

    // MARK: Before the handshake

    /// Verifies that the certificate is for this name, or address.
    func expect(name: String, isAddress: Bool, acceptsCommonName: Bool) -> Bool {
        let parameters = unsafe library.parameters(pointer)
        // X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, …_NEVER_CHECK_SUBJECT.
        unsafe library.setHostFlags(parameters, acceptsCommonName ? 0x4 : 0x4 | 0x20)
        return unsafe isAddress
            ? library.setAddress(parameters, name) == 1 : library.setHost(parameters, name, 0) == 1
    }

    /// Looks up every certificate of the chain in the lists (X509_V_FLAG_CRL_CHECK, …_ALL).
    func checkRevocation() {
        _ = unsafe library.setFlags(library.parameters(pointer), 0x4 | 0x8)
    }

    /// Tells the server the name that it is asked for (SSL_set_tlsext_host_name, a macro).
    func tell(name: String) {
        _ = unsafe name.withCString { text in
            unsafe library.control(pointer, 55, 0, UnsafeMutableRawPointer(mutating: text))
        }
    }

    /// - Parameter name: at most 255 bytes.
    func offer(protocol name: String) {
        let list = [UInt8(clamping: name.utf8.count)] + Array(name.utf8)
        _ = unsafe library.setProtocols(pointer, list, CUnsignedInt(list.count))
    }

    func resume(_ session: OpenSSLSession) {
        _ = unsafe library.setSession(pointer, OpaquePointer(bitPattern: session.address))
    }

    // MARK: Bytes

    /// False once the peer has ended the connection.
    var expectsMore: Bool = true {
        // BIO_C_SET_BUF_MEM_EOF_RETURN: an empty buffer is an end, or none yet.
        didSet { _ = unsafe library.controlBuffer(input, 130, expectsMore ? -1 : 0, nil) }
    }

    /// Takes what the peer has sent.
    func receive(_ bytes: [UInt8]) {
        _ = unsafe library.writeBuffer(input, bytes, CInt(clamping: bytes.count))
    }

    /// Moves what is to be sent to the end of `bytes`.
    func takeOutput(to bytes: inout [UInt8]) {
        let count = unsafe library.pending(output)
        if count == 0 { return }
        bytes.append(addingCapacity: count) { (tail: inout OutputSpan<UInt8>) in
            unsafe tail.withUnsafeMutableBufferPointer { space, initialized in
                let size = CInt(clamping: count)
                initialized = unsafe max(
                    0, Int(library.readBuffer(output, space.baseAddress, size)))
            }
        }
    }

    func shakeHands() -> Outcome {
        library.clearErrors()
        return outcome(unsafe library.shakeHands(pointer))
    }

    /// Decrypts all that is there to the end of `bytes`.
    func read(to bytes: inout [UInt8]) -> Outcome {
        // A record's plaintext is shorter than the record, of which one may be inside already.
        let size = unsafe library.pending(input) + OpenSSLConnection.longestRecord
        var outcome = Outcome.done
        bytes.append(addingCapacity: size) { (tail: inout OutputSpan<UInt8>) in
            unsafe tail.withUnsafeMutableBufferPointer { space, initialized in
                var total = 0
                while outcome == .done, total < size {
                    var count = 0
                    library.clearErrors()
                    let start = unsafe space.baseAddress?.advanced(by: total)
                    outcome = unsafe self.outcome(
                        library.read(pointer, start, size - total, &count))
                    if outcome == .done { total += count }
                }
                initialized = total
            }
        }
        return outcome
    }

    /// Encrypts `bytes` from `start` on, at most `limit` of them. The count is how many it took.
    func write(_ bytes: [UInt8], from start: Int, limit: Int) -> (outcome: Outcome, count: Int) {
        var count = 0
        library.clearErrors()
        let size = min(limit, bytes.count - start)
        let result = unsafe bytes.withUnsafeBytes { space in
            unsafe library.write(pointer, space.baseAddress?.advanced(by: start), size, &count)
        }
        return (outcome(result), count)
    }

    /// Says that nothing more comes. The peer's answer is not waited for.
    func shutDown() {
        library.clearErrors()
        _ = unsafe library.shutDown(pointer)
        library.clearErrors()
    }

    /// RFC 8446 §5.1.
    private static let longestRecord = 16_384

    private func outcome(_ result: CInt) -> Outcome {
        result == 1 ? .done : unsafe Outcome(rawValue: library.error(pointer, result)) ?? .failed
    }

    func takeErrors() -> [OpenSSLError] { library.takeErrors() }

    // MARK: After the handshake

    /// The number of the fault of the peer's certificate; 0 for none.
    var verifyResult: Int { unsafe library.verifyResult(pointer) }
    var isResumed: Bool { unsafe library.isResumed(pointer) == 1 }
    var version: String { unsafe library.version(pointer).map { unsafe String(cString: $0) } ?? "" }

    var cipher: String {
        unsafe library.cipherName(library.cipher(pointer)).map { unsafe String(cString: $0) } ?? ""
    }

    /// The protocol that the server has chosen; empty for none.
    var chosenProtocol: String {
        var name: UnsafePointer<UInt8>?
        var count: CUnsignedInt = 0
        unsafe library.chosenProtocol(pointer, &name, &count)
        return unsafe String(
            decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
    }

    /// The server's certificate, and its digest to bind a login to.
    var peer: (facts: CertificateFacts, digest: CertificateDigest)? {
        guard let certificate = unsafe library.peerCertificate(pointer) else { return nil }
        defer { unsafe library.freeCertificate(certificate) }
        return unsafe (library.facts(of: certificate), library.digest(of: certificate))
    }
}
