package import BroadcasterWire

/// One connection's TLS: ciphertext in, plaintext out, and the other way round. It sees no socket, and belongs to one
/// owner.
///
/// Its life: `handshake` after each `receive`, until it returns the security; then `read` after each `receive`, and
/// `write`. What is to be sent is taken by `takeOutput` after every call, since reads write too: alerts, new keys.
package final class TLSEngine {
    private let client: TLSClient
    private let connection: OpenSSLConnection
    /// The session that the connection began with.
    private let resumed: OpenSSLSession?
    private var isSecure = false

    init(_ client: TLSClient) throws(TLSError) {
        self.client = client
        let library = client.context.context.library
        guard let new = OpenSSLConnection(client.context.context) else {
            throw TLSError(.refused, "OpenSSL: \(library.takeErrors().first?.words ?? "no memory")")
        }
        connection = new
        resumed = client.context.takeSession(with: client.server)
        let (options, name) = (client.options, client.name)
        if options.verification == .full {
            let isTaken = connection.expect(
                name: name.text, isAddress: name.isAddress,
                acceptsCommonName: options.acceptsCommonName)
            guard isTaken, !name.text.isEmpty else {
                throw TLSError(.refused, "the host is no name that a certificate could have")
            }
        }
        if options.checksRevocation { connection.checkRevocation() }
        if options.sendsServerName, !name.isAddress { connection.tell(name: name.text) }
        if let name = options.applicationProtocol { connection.offer(protocol: name) }
        if let resumed { connection.resume(resumed) }
    }

    /// Takes what the server has sent.
    package func receive(_ ciphertext: [UInt8]) {
        connection.receive(ciphertext)
    }

    /// The server has ended the connection.
    package func end() {
        connection.expectsMore = false
    }

    /// Goes on with the handshake. The result is the security, when it is done.
    package func handshake() throws(TLSError) -> LaneSecurity? {
        switch connection.shakeHands() {
        case .done:
            isSecure = true
            return try security()
        case .wantsMore: return nil
        case .failed, .ended, .closed: throw failure()
        }
    }

    private func security() throws(TLSError) -> LaneSecurity {
        let options = client.options
        if let wanted = options.applicationProtocol, connection.chosenProtocol != wanted {
            throw TLSFault.notOffered(wanted)
        }
        // TLS 1.2 gives no new one to a connection that was resumed.
        if let resumed, connection.isResumed, connection.version == "TLSv1.2" {
            client.context.keep(resumed, with: client.server)
        }
        let peer = connection.peer
        let binding: LaneSecurity.Binding =
            switch peer?.digest {
            case .digest(let digest): .endPoint(digest)
            case .undefined(let algorithm): .undefined(algorithm: algorithm)
            case nil: .undefined(algorithm: "none")
            }
        return LaneSecurity(
            version: connection.version, cipher: connection.cipher,
            subject: Rejection.printable(peer?.facts.subject ?? "none"),
            expiry: peer?.facts.end ?? "never", binding: binding,
            isResumed: connection.isResumed, verification: options.verification,
            warning: warning(of: peer?.facts))
    }

    /// Whoever turns the verification off is told so at each connection.
    private func warning(of certificate: CertificateFacts?) -> String? {
        guard client.options.verification == .none, client.options.isDemanded else { return nil }
        let text = "the certificate of \(client.name.text) is not verified"
        let number = connection.verifyResult
        if number == 0 { return text }
        let fault = CertificateFault(
            number: number, certificate: certificate, depth: 0, name: client.name.text,
            options: client.options)
        return "\(text): \(fault)"
    }

    /// Decrypts what has come to the end of `plaintext`. False when the server has said that nothing more comes.
    package func read(to plaintext: inout [UInt8]) throws(TLSError) -> Bool {
        var outcome = OpenSSLConnection.Outcome.done
        while outcome == .done { outcome = connection.read(to: &plaintext) }
        if let session = connection.notes.session {
            client.context.keep(session, with: client.server)
            connection.notes.session = nil
        }
        switch outcome {
        case .done, .wantsMore: return true
        case .closed: return false
        case .failed, .ended: throw failure()
        }
    }

    /// The bytes that are encrypted at a time: memory never pushes back, and four records make a good write.
    private static let encryptedAtOnce = 65_536

    /// Encrypts a piece of `plaintext` from `start` on. The result is how many bytes that were.
    package func write(_ plaintext: [UInt8], from start: Int) throws(TLSError) -> Int {
        let (outcome, count) = connection.write(
            plaintext, from: start, limit: TLSEngine.encryptedAtOnce)
        guard outcome == .done else { throw failure() }
        return count
    }

    /// Moves what is to be sent to the end of `ciphertext`.
    package func takeOutput(to ciphertext: inout [UInt8]) {
        connection.takeOutput(to: &ciphertext)
    }

    /// Says that nothing more comes from here.
    package func close() {
        if isSecure { connection.shutDown() }
    }

    private func failure() -> TLSError {
        TLSFault(
            errors: connection.takeErrors(), verifyResult: connection.verifyResult,
            failed: connection.notes.failed, depth: connection.notes.failedDepth,
            isSecure: isSecure, name: client.name.text, options: client.options
        ).error
    }
}
