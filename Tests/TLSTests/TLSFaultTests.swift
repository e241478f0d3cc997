import BroadcasterWire
import Testing

@testable import BroadcasterTLS

/// The words for OpenSSL's numbers.
struct TLSFaultTests {
    private func fault(
        _ reasons: [Int], verify: Int = 0, depth: Int = 0, isSecure: Bool = false
    ) -> TLSError {
        TLSFault(
            errors: reasons.map {
                OpenSSLError(code: UInt(0x0a00_0000 | $0), text: "error:0A:SSL routines::words")
            },
            verifyResult: verify,
            failed: CertificateFacts(
                subject: "CN=s", issuer: "CN=i", alternatives: "DNS:a.example, IP Address:10.0.0.1",
                begin: "2026-01-01", end: "2026-02-02"),
            depth: depth, isSecure: isSecure, name: "db.example", options: TLSOptions()
        ).error
    }

    @Test(arguments: [
        (
            2, 1,
            "authority of the certificate of db.example is signed by an unknown authority (CN=i)"
        ),
        (3, 0, "certificate of db.example: there is no list of revoked certificates of CN=i"),
        (9, 0, "certificate of db.example: valid only from 2026-01-01 on"),
        (10, 0, "certificate of db.example: expired on 2026-02-02"),
        (10, 1, "authority of the certificate of db.example: expired on 2026-02-02"),
        (12, 0, "the list of revoked certificates of CN=i has expired"),
        (18, 0, "certificate of db.example is self-signed: give it as ssl_ca_certs to trust it"),
        (19, 1, "certificate of db.example is signed by an unknown authority (CN=i): give that as"),
        (20, 0, "(CN=i), or the server does not send its intermediate certificate; asked were"),
        (23, 0, "certificate of db.example was revoked"), (26, 0, "is not meant for servers"),
        (62, 0, "certificate of db.example is for a.example, 10.0.0.1, not db.example"),
        (64, 0, "names no such IP address"), (66, 0, "has a key too weak"),
        (68, 0, "has a signature too weak"), (99, 0, "verification error 99"),
    ])
    func aCertificateIsRefusedInWords(number: Int, depth: Int, says: String) {
        let error = fault([0x86], verify: number, depth: depth)
        #expect(error.kind == .refused)
        #expect(error.description.containsBytes(says), "\(error)")
    }

    @Test(arguments: [
        (1116, "wants a client certificate (ssl_certfile)"),
        (1040, "no common cipher, or it wants"),
        (1048, "does not trust our certificate"), (1045, "our certificate has expired"),
        (1070, "speaks no TLS version ≥ 1.2"), (258, "speaks no TLS version ≥ 1.2"),
        (1112, "has no certificate for db.example"), (1120, "does not offer"),
        (267, "the server does not speak TLS"), (500, "TLS: words"),
    ])
    func aRefusedHandshakeIsFinal(reason: Int, says: String) {
        let error = fault([reason])
        #expect(error.kind == .refused)
        #expect(error.description.containsBytes(says), "\(error)")
    }

    @Test(arguments: [
        ([294], false, "during the TLS handshake"), ([], false, "during the TLS handshake"),
        ([294], true, "without closing TLS"), ([], true, "without closing TLS"),
        ([281], true, "a damaged TLS record"), ([267], true, "TLS: words"),
        ([500], true, "TLS: words"),
    ])
    func anEndIsALoss(reasons: [Int], isSecure: Bool, says: String) {
        let error = fault(reasons, isSecure: isSecure)
        #expect(error.kind == .lost)
        #expect(error.description.containsBytes(says), "\(error)")
    }

    /// The client's certificate is refused after the handshake, in TLS 1.3.
    @Test(arguments: [1116, 1048, 1045])
    func aCertificateMayBeRefusedLater(reason: Int) {
        #expect(fault([reason], isSecure: true).kind == .refused)
    }

    @Test func aMissingLibraryIsAnError() {
        let error = #expect(throws: TLSError.self) { _ = try OpenSSL.open(["libnone.so.3"]) }
        #expect(error?.description.containsBytes("libnone.so.3") == true)
        #expect(error?.description.containsBytes("Install libssl3") == true)
    }

    @Test func anotherLibraryIsNotTakenForOpenSSL() {
        let error = #expect(throws: TLSError.self) { _ = try OpenSSL.open(["libc.so.6"]) }
        #expect(error?.description.containsBytes("libc.so.6 has no ") == true)
    }
}
