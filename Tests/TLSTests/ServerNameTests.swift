import Testing

@testable import BroadcasterTLS

@Suite struct ServerNameTests {
    @Test(arguments: [
        ("db.example.org", "db.example.org", false), ("db.example.org.", "db.example.org", false),
        ("10.0.0.5", "10.0.0.5", true), ("1.2.3.4.5", "1.2.3.4.5", false), ("::1", "::1", true),
        ("fe80::1%eth0", "fe80::1", true), ("10.0.0", "10.0.0", false), ("", "", false),
    ])
    func `a host becomes the name in a certificate`(host: String, text: String, isAddress: Bool) {
        let name = ServerName(host)
        #expect(name.text == text)
        #expect(name.isAddress == isAddress)
    }
}
