internal import Glibc
internal import Synchronization

// OpenSSL's functions, found in its library at run time. All unsafe code of the module stands in this folder.
//
// The signatures are those of the headers named, alike in OpenSSL 1.1.1 and 3.0 to 3.5; where the two differ, it is said.

/// The functions of libssl, and of libcrypto, which it depends on: version 3 or 1.1.1, whichever the system has.
@safe final class OpenSSL: Sendable {
    typealias P = OpaquePointer
    typealias Text = UnsafePointer<CChar>
    typealias Raw = UnsafeMutableRawPointer
    typealias Integer = UnsafeMutablePointer<CInt>
    typealias Getter = @Sendable @convention(c) (P?) -> P?
    typealias TextGetter = @Sendable @convention(c) (P?) -> Text?
    typealias Number = @Sendable @convention(c) (P?) -> CInt
    typealias Action = @Sendable @convention(c) (P?) -> Void
    typealias Control = @Sendable @convention(c) (P?, CInt, CLong, Raw?) -> CLong
    typealias Verify = @Sendable @convention(c) (CInt, P?) -> CInt
    typealias NewSession = @Sendable @convention(c) (P?, P?) -> CInt
    typealias Password =
        @Sendable @convention(c) (UnsafeMutablePointer<CChar>?, CInt, CInt, Raw?) -> CInt

    // crypto.h.
    let versionNumber: @Sendable @convention(c) () -> CUnsignedLong = symbol("OpenSSL_version_num")
    let start: @Sendable @convention(c) (UInt64, P?) -> CInt = unsafe symbol("OPENSSL_init_crypto")
    // ssl.h: contexts. 1.1.1 has `unsigned long` in place of `uint64_t` in SSL_CTX_set_options.
    let newContext: Getter = unsafe symbol("SSL_CTX_new")
    let freeContext: Action = unsafe symbol("SSL_CTX_free")
    let clientMethod: @Sendable @convention(c) () -> P? =
        unsafe symbol("TLS_client_method")
    let trustSystem: Number = unsafe symbol("SSL_CTX_set_default_verify_paths")
    let trust: @Sendable @convention(c) (P?, Text?, Text?) -> CInt =
        unsafe symbol("SSL_CTX_load_verify_locations")
    let store: Getter = unsafe symbol("SSL_CTX_get_cert_store")
    let useCertificate: @Sendable @convention(c) (P?, Text?) -> CInt =
        unsafe symbol("SSL_CTX_use_certificate_chain_file")
    let useKey: @Sendable @convention(c) (P?, Text?, CInt) -> CInt =
        unsafe symbol("SSL_CTX_use_PrivateKey_file")
    let checkKey: Number = unsafe symbol("SSL_CTX_check_private_key")
    let setVerify: @Sendable @convention(c) (P?, CInt, Verify?) -> Void =
        unsafe symbol("SSL_CTX_set_verify")
    let controlContext: Control = unsafe symbol("SSL_CTX_ctrl")
    let setOptions: @Sendable @convention(c) (P?, UInt64) -> UInt64 =
        unsafe symbol("SSL_CTX_set_options")
    let setPassword: @Sendable @convention(c) (P?, Password?) -> Void =
        unsafe symbol("SSL_CTX_set_default_passwd_cb")
    let setPasswordData: @Sendable @convention(c) (P?, Raw?) -> Void =
        unsafe symbol("SSL_CTX_set_default_passwd_cb_userdata")
    let setNewSession: @Sendable @convention(c) (P?, NewSession?) -> Void =
        unsafe symbol("SSL_CTX_sess_set_new_cb")
    // ssl.h: connections.
    let newConnection: Getter = unsafe symbol("SSL_new")
    let freeConnection: Action = unsafe symbol("SSL_free")
    let setBuffers: @Sendable @convention(c) (P?, P?, P?) -> Void =
        unsafe symbol("SSL_set_bio")
    let becomeClient: Action = unsafe symbol("SSL_set_connect_state")
    let shakeHands: Number = unsafe symbol("SSL_do_handshake")
    let read: @Sendable @convention(c) (P?, Raw?, Int, UnsafeMutablePointer<Int>) -> CInt =
        unsafe symbol("SSL_read_ex")
    let write:
        @Sendable @convention(c) (P?, UnsafeRawPointer?, Int, UnsafeMutablePointer<Int>) -> CInt =
            unsafe symbol("SSL_write_ex")
    let shutDown: Number = unsafe symbol("SSL_shutdown")
    let error: @Sendable @convention(c) (P?, CInt) -> CInt =
        unsafe symbol("SSL_get_error")
    let control: Control = unsafe symbol("SSL_ctrl")
    let setData: @Sendable @convention(c) (P?, CInt, Raw?) -> CInt =
        unsafe symbol("SSL_set_ex_data")
    let data: @Sendable @convention(c) (P?, CInt) -> Raw? =
        unsafe symbol("SSL_get_ex_data")
    let setProtocols: @Sendable @convention(c) (P?, UnsafePointer<UInt8>?, CUnsignedInt) -> CInt =
        unsafe symbol("SSL_set_alpn_protos")
    let chosenProtocol:
        @Sendable @convention(c) (
            P?, UnsafeMutablePointer<UnsafePointer<UInt8>?>, UnsafeMutablePointer<CUnsignedInt>
        ) -> Void = unsafe symbol("SSL_get0_alpn_selected")
    let setSession: @Sendable @convention(c) (P?, P?) -> CInt =
        unsafe symbol("SSL_set_session")
    let freeSession: Action = unsafe symbol("SSL_SESSION_free")
    let isResumed: Number = unsafe symbol("SSL_session_reused")
    let version: TextGetter = unsafe symbol("SSL_get_version")
    let cipher: Getter = unsafe symbol("SSL_get_current_cipher")
    let cipherName: TextGetter = unsafe symbol("SSL_CIPHER_get_name")
    let verifyResult: @Sendable @convention(c) (P?) -> CLong =
        unsafe symbol("SSL_get_verify_result")
    let parameters: Getter = unsafe symbol("SSL_get0_param")
    /// 3.0 has the old name as a macro alone. Both count as an owner of what they return.
    let peerCertificate: Getter =
        unsafe symbol("SSL_get1_peer_certificate", or: "SSL_get_peer_certificate")
    // bio.h and err.h.
    let memory: @Sendable @convention(c) () -> P? = unsafe symbol("BIO_s_mem")
    let newBuffer: Getter = unsafe symbol("BIO_new")
    let freeBuffer: Number = unsafe symbol("BIO_free")
    let readBuffer: @Sendable @convention(c) (P?, Raw?, CInt) -> CInt =
        unsafe symbol("BIO_read")
    let writeBuffer: @Sendable @convention(c) (P?, UnsafeRawPointer?, CInt) -> CInt =
        unsafe symbol("BIO_write")
    let pending: @Sendable @convention(c) (P?) -> Int =
        unsafe symbol("BIO_ctrl_pending")
    let controlBuffer: Control = unsafe symbol("BIO_ctrl")
    let nextError: @Sendable @convention(c) () -> CUnsignedLong =
        symbol("ERR_get_error")
    let errorText:
        @Sendable @convention(c) (CUnsignedLong, UnsafeMutablePointer<CChar>?, Int) -> Void =
            unsafe symbol("ERR_error_string_n")
    let clearErrors: @Sendable @convention(c) () -> Void =
        symbol("ERR_clear_error")
    // x509_vfy.h: verification.
    let setHost: @Sendable @convention(c) (P?, Text?, Int) -> CInt =
        unsafe symbol("X509_VERIFY_PARAM_set1_host")
    let setAddress: @Sendable @convention(c) (P?, Text?) -> CInt =
        unsafe symbol("X509_VERIFY_PARAM_set1_ip_asc")
    let setHostFlags: @Sendable @convention(c) (P?, CUnsignedInt) -> Void =
        unsafe symbol("X509_VERIFY_PARAM_set_hostflags")
    let setFlags: @Sendable @convention(c) (P?, CUnsignedLong) -> CInt =
        unsafe symbol("X509_VERIFY_PARAM_set_flags")
    let failedDepth: Number = unsafe symbol("X509_STORE_CTX_get_error_depth")
    let failedCertificate: Getter = unsafe symbol("X509_STORE_CTX_get_current_cert")
    let verifiedData: @Sendable @convention(c) (P?, CInt) -> Raw? =
        unsafe symbol("X509_STORE_CTX_get_ex_data")
    let connectionIndex: @Sendable @convention(c) () -> CInt =
        symbol("SSL_get_ex_data_X509_STORE_CTX_idx")
    let addCertificate: @Sendable @convention(c) (P?, P?) -> CInt =
        unsafe symbol("X509_STORE_add_cert")
    // x509.h, x509v3.h, pem.h, asn1.h, objects.h, evp.h: certificates.
    let readCertificate: @Sendable @convention(c) (P?, Raw?, Password?, Raw?) -> P? =
        unsafe symbol("PEM_read_bio_X509")
    let freeCertificate: Action = unsafe symbol("X509_free")
    let subject: Getter = unsafe symbol("X509_get_subject_name")
    let issuer: Getter = unsafe symbol("X509_get_issuer_name")
    let printName: @Sendable @convention(c) (P?, P?, CInt, CUnsignedLong) -> CInt =
        unsafe symbol("X509_NAME_print_ex")
    let notBefore: Getter = unsafe symbol("X509_get0_notBefore")
    let notAfter: Getter = unsafe symbol("X509_get0_notAfter")
    let timeParts: @Sendable @convention(c) (P?, UnsafeMutablePointer<tm>) -> CInt =
        unsafe symbol("ASN1_TIME_to_tm")
    let extensionIndex: @Sendable @convention(c) (P?, CInt, CInt) -> CInt =
        unsafe symbol("X509_get_ext_by_NID")
    let extensionAt: @Sendable @convention(c) (P?, CInt) -> P? =
        unsafe symbol("X509_get_ext")
    let printExtension: @Sendable @convention(c) (P?, P?, CUnsignedLong, CInt) -> CInt =
        unsafe symbol("X509V3_EXT_print")
    let signature: @Sendable @convention(c) (P?, Integer?, Integer?, Integer?, Integer?) -> CInt =
        unsafe symbol("X509_get_signature_info")
    let shortName: @Sendable @convention(c) (CInt) -> Text? =
        unsafe symbol("OBJ_nid2sn")
    let digestNamed: @Sendable @convention(c) (Text?) -> P? =
        unsafe symbol("EVP_get_digestbyname")
    let digest:
        @Sendable @convention(c) (
            P?, P?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<CUnsignedInt>?
        ) -> CInt = unsafe symbol("X509_digest")
}

// MARK: Loading

/// The search for the functions of a library, which `symbol` takes from here. The handle is dlopen's.
private final class Loader: Sendable {
    @TaskLocal static var current: Loader?
    let handle: UInt
    let missing = Mutex<String?>(nil)

    init(_ handle: UInt) {
        self.handle = handle
    }
}

private func symbol<Function>(_ name: String, or other: String? = nil) -> Function {
    let handle = unsafe OpenSSL.Raw(bitPattern: Loader.current?.handle ?? 0)
    for name in [name, other].compactMap({ $0 }) {
        if let found = unsafe dlsym(handle, name) {
            return unsafe unsafeBitCast(found, to: Function.self)
        }
    }
    Loader.current?.missing.withLock { $0 = $0 ?? name }
    // Not called: a library that lacks a function is not used.
    return unsafe unsafeBitCast(UInt(1), to: Function.self)
}

extension OpenSSL {
    private static let opened = Mutex<OpenSSL?>(nil)
    static var current: OpenSSL? { opened.withLock { $0 } }

    /// The process's library: opened at the first call that finds it, and never closed.
    static func library() throws(TLSError) -> OpenSSL {
        try opened.withLock { (opened) throws(TLSError) in
            if let opened { return opened }
            let named = unsafe getenv("BROADCASTER_LIBSSL").map { unsafe String(cString: $0) }
            // Not libssl.so: that is a developer's link, to whatever version.
            let library = try open(named.map { [$0] } ?? ["libssl.so.3", "libssl.so.1.1"])
            opened = library
            return library
        }
    }

    static func open(_ names: [String]) throws(TLSError) -> OpenSSL {
        var reasons: [String] = []
        for name in names {
            if let handle = unsafe dlopen(name, RTLD_NOW | RTLD_LOCAL) {
                return try bind(UInt(bitPattern: handle), name)
            }
            reasons.append(unsafe dlerror().map { unsafe String(cString: $0) } ?? name)
        }
        throw .missingLibrary(reasons.first ?? "no name")
    }

    private static func bind(_ handle: UInt, _ name: String) throws(TLSError) -> OpenSSL {
        let loader = Loader(handle)
        let library = Loader.$current.withValue(loader) { OpenSSL() }
        if let missing = loader.missing.withLock({ $0 }) {
            throw .unsuitableLibrary("\(name) has no \(missing): it is not OpenSSL 1.1.1 or 3")
        }
        guard library.versionNumber() >= 0x1010_100f else {
            throw .unsuitableLibrary("\(name) is older than OpenSSL 1.1.1")
        }
        // NO_ATEXIT: otherwise OpenSSL takes its memory away in `exit`, while the event loop still runs.
        _ = library.start(0x80000, nil)
        return library
    }

    /// Takes what this thread's queue of errors holds, of which the first is the cause.
    func takeErrors() -> [OpenSSLError] {
        var errors: [OpenSSLError] = []
        while case let code = nextError(), code != 0, errors.count < 16 {
            var space = [CChar](repeating: 0, count: 256)
            unsafe errorText(code, &space, space.count)
            let bytes = space.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            errors.append(
                OpenSSLError(code: UInt(code), text: String(decoding: bytes, as: UTF8.self)))
        }
        clearErrors()
        return errors
    }
}
