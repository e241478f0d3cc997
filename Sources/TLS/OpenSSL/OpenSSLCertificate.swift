internal import Glibc

// What OpenSSL tells of a certificate.

extension OpenSSL {
    func facts(of certificate: OpaquePointer) -> CertificateFacts {
        unsafe CertificateFacts(
            subject: name(subject(certificate)), issuer: name(issuer(certificate)),
            alternatives: alternatives(of: certificate), begin: day(notBefore(certificate)),
            end: day(notAfter(certificate)))
    }

    /// XN_FLAG_RFC2253 without ASN1_STRFLGS_ESC_MSB: letters of every alphabet stay as they are.
    private func name(_ name: OpaquePointer?) -> String {
        unsafe printed { unsafe _ = printName($0, name, 0, 0x0111_0313) }
    }

    /// Such as `DNS:example.org, IP Address:10.0.0.1`; NID_subject_alt_name is 85.
    private func alternatives(of certificate: OpaquePointer) -> String {
        let index = unsafe extensionIndex(certificate, 85, -1)
        if index < 0 { return "" }
        return unsafe printed {
            unsafe _ = printExtension($0, extensionAt(certificate, index), 0, 0)
        }
    }

    /// The first 1,024 bytes of what `body` prints.
    private func printed(_ body: (OpaquePointer?) -> Void) -> String {
        let buffer = unsafe newBuffer(memory())
        defer { _ = unsafe freeBuffer(buffer) }
        unsafe body(buffer)
        var bytes = [UInt8](repeating: 0, count: 1024)
        let count = unsafe readBuffer(buffer, &bytes, 1024)
        return String(decoding: bytes.prefix(Int(max(0, count))), as: UTF8.self)
    }

    private func day(_ time: OpaquePointer?) -> String {
        var parts = unsafe tm()
        guard unsafe timeParts(time, &parts) == 1 else { return "an unknown day" }
        let (year, month, day) = unsafe (parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday)
        return "\(year)-\(month < 10 ? "0" : "")\(month)"
            + "-\(day < 10 ? "0" : "")\(day)"
    }

    /// The digest of the whole certificate by the hash function of its signature; SHA-256 where that is MD5 or SHA-1
    /// (RFC 5929 §4.1).
    func digest(of certificate: OpaquePointer) -> CertificateDigest {
        var (hash, key): (CInt, CInt) = (0, 0)
        let isKnown = unsafe signature(certificate, &hash, &key, nil, nil) == 1
        guard isKnown, hash != 0, var name = text(of: hash) else {
            return .undefined(algorithm: text(of: key) ?? "unknown")
        }
        if ["MD5", "SHA1", "MD5-SHA1"].contains(name) { name = "SHA256" }
        var bytes = [UInt8](repeating: 0, count: 64)
        var count: CUnsignedInt = 0
        // Where OpenSSL has no such function it is given none, and fails.
        guard let function = unsafe digestNamed(name),
            unsafe digest(certificate, function, &bytes, &count) == 1
        else { return .undefined(algorithm: name) }
        return .digest(Array(bytes.prefix(Int(count))))
    }

    private func text(of number: CInt) -> String? {
        number == 0 ? nil : unsafe shortName(number).map { unsafe String(cString: $0) }
    }
}
