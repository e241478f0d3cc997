import BroadcasterWire
import Testing

/// The options of TLS in a URL, by redis-py's names.
struct TLSOptionsTests {
    private func options(_ query: String) throws -> TLSOptions {
        var url = try ServerURL("s://h?\(query)")
        let options = try TLSOptions(from: &url.options)
        try url.options.finish(scheme: "s")
        return options
    }

    @Test func everythingIsVerifiedUnlessSaid() throws {
        let options = try options("")
        #expect(options == TLSOptions())
        #expect(options.verification == .full)
        #expect(options.minimumVersion == .tls12)
        #expect(!options.acceptsCommonName)
    }

    @Test(arguments: [
        ("ssl_cert_reqs=required", TLSOptions.Verification.full),
        ("ssl_cert_reqs=optional", .full), ("ssl_cert_reqs=CERT_REQUIRED", .full),
        ("ssl_cert_reqs=none", .none), ("ssl_cert_reqs=None&ssl_check_hostname=true", .none),
        ("ssl_check_hostname=false", .authority), ("ssl_check_hostname=True", .full),
        ("ssl_cert_reqs=required&ssl_check_hostname=0", .authority),
    ])
    func theVerificationIsAsInRedisPy(query: String, verification: TLSOptions.Verification) throws {
        #expect(try options(query).verification == verification)
    }

    @Test func filesAndNamesAreTaken() throws {
        let query =
            "ssl_ca_certs=/a&ssl_ca_path=/b&ssl_ca_data=c&ssl_certfile=/d&ssl_keyfile=/e"
            + "&ssl_password=f&ssl_server_name=g&ssl_min_version=772"
        let options = try options(query)
        #expect(
            [
                options.authorityFile, options.authorityFolder, options.authorityText,
                options.certificateFile, options.keyFile, options.keyPassword, options.serverName,
            ] == ["/a", "/b", "c", "/d", "/e", "f", "g"])
        #expect(options.minimumVersion == .tls13)
    }

    @Test(arguments: [
        ("ssl_ca_certs=", "is empty"), ("ssl_ca_certs=%00", "holds a NUL"),
        ("ssl_keyfile=/k", "ssl_keyfile needs ssl_certfile"),
        ("ssl_min_version=770", "771 (TLS 1.2) or 772"), ("ssl_ciphers=x", "is not there"),
        ("ssl_ocsp_context=x", "is not there"), ("ssl_colour=red", "unknown option"),
    ])
    func whatIsNotThereIsRefused(query: String, says: String) {
        let error = #expect(throws: ServerURLError.self) { _ = try options(query) }
        #expect(error?.description.containsBytes(says) == true, "\(String(describing: error))")
    }

    @Test(arguments: ["ssl_ca_certs=/a", "ssl_cert_reqs=none", "ssl_password=p", "ssl_ciphers=x"])
    func aURLWithoutTLSHasNoneOfThem(query: String) throws {
        var url = try ServerURL("s://h?\(query)")
        let error = #expect(throws: ServerURLError.self) {
            try TLSOptions.refuse(in: &url.options, scheme: "secure")
        }
        let says = query.hasPrefix("ssl_ciphers") ? "is not there" : "a secure:// URL asks for"
        #expect(error?.description.containsBytes(says) == true, "\(String(describing: error))")
    }
}
