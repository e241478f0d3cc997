import Testing

@testable import BroadcasterChatDemo

struct ServedNamesTests {
    @Test(arguments: [
        ("localhost", true), ("localhost:8000", true), ("LOCALHOST:8000", true),
        ("127.0.0.1:8000", true), ("192.168.1.20", true), ("[::1]:8000", true), ("[fe80::1]", true),
        ("chat.example", true), ("Chat.Example:443", true), ("box", true),
        ("evil.example", false), ("evil.example:8000", false), ("localhost.evil.example", false),
        ("127.0.0.1.evil.example", false), ("1.2.3", false), ("1.2.3.x", false), ("1..2.3", false),
        ("", false), (":8000", false), ("[evil]", false), ("[]", false),
    ])
    func addressesAndOurNamesAreServed(host: String, isServed: Bool) {
        #expect(ServedNames(["chat.example", "BOX"]).contains(host) == isServed)
    }
}
