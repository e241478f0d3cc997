import BroadcasterWire
import Testing

struct ServerURLTests {
    /// Each is where a password ends early if its bytes are taken for marks.
    @Test(arguments: [
        "s://u:p@q@h", "s://u:p@q/r@h", "s://u:p@q?r@h", "s://u:p@q#r@h", "s://@@h",
        "s://u:p/q@h", "s://u:p?q@h", "s://u:p#q@h", "s:///q@h", "s://h/q@r", "s://h?a=q@r",
        "s://u@h?a=q@r", "s://u@h#q", "s://h#q", "s://#", "s://h/#q", "s://h?a=b#c",
        // An accent after the mark makes one character of the two, and stays two for everybody else.
        "s://u:p@\u{301}q@h", "s://u:p/\u{301}q@h", "s://u:p#\u{301}q@h",
        "s://u:p?\u{301}q@h",
    ])
    func marksOutOfPlaceAreRefused(text: String) {
        let error = #expect(throws: ServerURLError.self) { _ = try ServerURL(text) }
        let says = error?.description ?? ""
        #expect(
            says.hasPrefix("an @ after the host") || says.hasPrefix("a # in the URL"), "\(says)")
    }

    @Test(arguments: [
        (" s://h", "begins or ends with a blank"), ("s://h ", "begins or ends with a blank"),
        ("s://h\n", "control character"), ("s://h/0\r\n", "control character"),
        ("s://u:p\t@h", "control character"), ("s://h\u{7f}", "control character"),
        ("s://ho%0ast", "control character in the host"), ("s://h%00", "control character"),
    ])
    func blanksAndControlCharactersAreSaidForWhatTheyAre(text: String, says: String) {
        let error = #expect(throws: ServerURLError.self) { _ = try ServerURL(text) }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test func aBlankInsideIsAllowed() throws {
        #expect(try ServerURL("s://u:a b@h").password == "a b")
    }

    /// Each host as `name` or `name:port`, between bars.
    @Test(arguments: [
        ("s://h", "h"), ("s://h:", "h"), ("s://", nil), ("s:///p", nil), ("s://u:p@/p", nil),
        ("s://:5/p", ":5"), ("s://a,,b", "a||b"), ("s://,", "|"), ("s://a:1,[::1]:2", "a:1|::1:2"),
    ])
    func noHostIsPassedOver(text: String, hosts: String?) throws {
        let found = try ServerURL(text).hosts.map { host in
            host.name + (host.port.map { ":\($0)" } ?? "")
        }
        #expect((found.isEmpty ? nil : found.joined(separator: "|")) == hosts)
    }

    @Test(arguments: [
        ("s://u:a:b@h/p?x=1=2", "u", "a:b", "p"), ("s://u@h", "u", nil, ""),
        ("s://:@h", "", "", ""), ("s://@h", "", nil, ""), ("s://h/%2Fx", nil, nil, "/x"),
        ("s://h//x", nil, nil, "/x"), ("s:///x", nil, nil, "/x"),
        ("s://u:%40%2F%3F%23@h", "u", "@/?#", ""), ("s://h/\u{301}", nil, nil, "\u{301}"),
    ])
    func partsAreTakenApart(text: String, user: String?, password: String?, path: String) throws {
        let url = try ServerURL(text)
        #expect(url.user == user)
        #expect(url.password == password)
        #expect(url.path == path)
    }

    /// A backend's error may quote a piece only where no password can be in it.
    @Test(arguments: [
        ("s://h/x", true), ("s://h?client_name=x", true), ("s://u@h/x", false),
        ("s://u:p@h/x", false), ("s://p%40h/x", false), ("s://h?password=x", false),
        ("s://h?PassWord=x", false), ("s://h?ssl_password=x", false), ("s://h?pwd=x", false),
        ("s://h?oauth_client_secret=x", false), ("s://h?scram_client_key=x", false),
    ])
    func piecesAreShownOnlyWhereNoPasswordCanBe(text: String, isShown: Bool) throws {
        let url = try ServerURL(text)
        #expect(url.show("piece").contains("piece") == isShown)
        #expect(url.options.show("piece").contains("piece") == isShown)
    }
}

struct URLOptionsTests {
    private func options(_ query: String) throws -> URLOptions {
        try ServerURL("s://h?\(query)").options
    }

    @Test(arguments: [
        ("a", "the option \"a\" has no ="), ("a=1&a=1", "\"a\" is given twice"),
        ("a=1&%61=2", "\"a\" is given twice"), ("a=%zz", "bad escape in the option \"a\""),
        ("%zz=1", "bad escape in the name of an option"),
    ])
    func whatWouldBePassedOverIsRefused(query: String, says: String) {
        let error = #expect(throws: ServerURLError.self) { _ = try options(query) }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        ("a=1", "1"), ("b=1", "1"), ("a=1&b=1&c=1", "1"), ("", nil), ("x=1", nil), ("b=", ""),
    ])
    func spellingsThatAgreeAreOne(query: String, value: String?) throws {
        var options = try options(query)
        #expect(try options.take("a", aliases: ["b", "c"]) == value)
    }

    @Test(arguments: [
        ("a=1&b=2", "the option a and the option b say"),
        ("b=1&c=2", "the option b and the option c say"),
        ("a=1&b=1&c=2", "the option a and the option c say"),
        ("a=&b=1", "the option a and the option b say"),
    ])
    func spellingsThatDoNotAreBothNamed(query: String, says: String) throws {
        var options = try options(query)
        let error = #expect(throws: ServerURLError.self) {
            _ = try options.take("a", aliases: ["b", "c"])
        }
        #expect(error?.description.contains(says) == true, "\(String(describing: error))")
    }

    @Test func timesAreComparedByWhatTheyMean() throws {
        var options = try options("a=1s&b=1000ms")
        #expect(try options.takeDuration("a", aliases: ["b"]) == .seconds(1))
    }

    @Test(arguments: [
        ("connect_timeout=0", CommonOptions.longestConnect), ("connect_timeout=0s", .seconds(127)),
        ("connect_timeout=-1", .seconds(127)), ("socket_connect_timeout=0.0", .seconds(127)),
        ("connect_timeout=0&socket_connect_timeout=-1", .seconds(127)),
        ("connect_timeout=0.5", .milliseconds(500)), ("", .seconds(5)),
    ])
    func noTimeToConnectIsAsLongAsTheKernelTries(query: String, expected: Duration) throws {
        var options = try options(query)
        var common = CommonOptions(
            connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
            maximumMessageSize: 7)
        try common.take(from: &options)
        #expect(common.connectTimeout == expected)
    }
}

struct ForeignOptionTests {
    private func refusal(_ values: ForeignOption.Values, _ text: String) -> String? {
        do throws(ServerURLError) {
            try ForeignOption("x", nil, values).check(text, as: "x") { "<\($0)>" }
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: ["0", "1", "-1", "+30", "2147483647"])
    func numbersAreTaken(text: String) {
        #expect(refusal(.integer, text) == nil)
    }

    @Test(arguments: ["", "-", "1.5", "one", " 1", "1s"])
    func noNumbersAreNot(text: String) {
        #expect(refusal(.integer, text) == "x is not a number: <\(text)>")
    }

    @Test func wordsAreTakenOrRefusedWithWhatTheyNeed() {
        let values = ForeignOption.Values.words(["a", "b", "c"], refused: ["d": "needs e"])
        #expect(refusal(values, "b") == nil)
        #expect(refusal(values, "d") == "x=d needs e")
        #expect(refusal(values, "f") == "x is a, b or c, not <f>")
        #expect(refusal(.words(["a"]), "f") == "x is a, not <f>")
    }

    @Test(arguments: [
        ("True", true), ("yes", true), ("1", true), ("on", true), ("F", false), ("No", false),
        ("0", false), ("off", false), ("", nil), ("perhaps", nil),
    ])
    func truthIsAsElsewhere(text: String, expected: Bool?) {
        #expect(ForeignOption.truth(text) == expected)
    }
}
