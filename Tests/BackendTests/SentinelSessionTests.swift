import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(600),
    maximumMessageSize: 64 << 20)

private func backend(_ url: String) throws -> SentinelBackend {
    try SentinelBackend(try ServerURL(url), options: options)
}

private func endpoint(_ port: UInt16) -> PeerInfo {
    PeerInfo(endpoint: .tcp(host: "10.0.0.1", port: port))
}

/// The conversation with a sentinel, the watch at the master, and what comes of odd answers.
struct SentinelSessionTests {
    private static let url = "redis-sentinel://10.0.0.1:1,10.0.0.1:2?master=m"
    private static let welcome =
        "%3\r\n+version\r\n+7\r\n+proto\r\n:3\r\n+role\r\n+master\r\n"
    /// The answer to ROLE of a master with one replica.
    private static let role =
        "*3\r\n$6\r\nmaster\r\n:14\r\n*1\r\n*3\r\n$8\r\n10.0.0.1\r\n$1\r\n8\r\n$2\r\n14\r\n"
    private static let first = Lane(index: 16)
    private static let second = Lane(index: 17)

    private func asking(_ url: String = Self.url) throws -> RedisConversation {
        RedisConversation(try backend(url).makeSession(nonce: "n"), to: endpoint(1))
    }

    /// A session at the master, whose two watched sentinels have agreed.
    private func serving() throws -> RedisConversation {
        var talk = RedisConversation(try backend(Self.url).makeSession(nonce: "n"), to: endpoint(9))
        try talk.answer(Self.welcome)
        #expect(talk.sent().hasSuffix("ROLE"))
        try talk.answer(Self.role)
        try talk.wait(.zero)
        #expect(talk.wishes() == [Self.first, Self.second])
        for lane in [Self.first, Self.second] {
            talk.open(lane, to: endpoint(UInt16(lane.index - 15)))
            try talk.answer(answers(port: 9), on: lane)
        }
        return talk
    }

    private func answers(port: Int, others: String = "*0\r\n") -> String {
        "*2\r\n$8\r\n10.0.0.1\r\n$\(String(port).count)\r\n\(port)\r\n" + others
            + "*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"
    }

    private func announcement(_ text: String) -> String {
        "*3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$\(text.utf8.count)\r\n\(text)\r\n"
    }

    // MARK: Asking

    @Test func aSentinelIsAskedInItsOwnNameAndTheMasterFollowed() throws {
        var talk = try asking(
            "redis-sentinel://u:secret@10.0.0.1:1/3?master=m&sentinel_password=own")
        #expect(talk.sent() == "AUTH own SENTINEL GET-MASTER-ADDR-BY-NAME m SENTINEL SENTINELS m")
        try talk.answer("+OK\r\n*2\r\n$8\r\n10.0.0.7\r\n$4\r\n6380\r\n")
        #expect(talk.events.isEmpty, "the other sentinels are still to be named")
        try talk.answer("*0\r\n")
        #expect(talk.events == ["! redirected 10.0.0.7:6380"])
    }

    @Test(arguments: [
        ("*-1\r\n", Rejection.Kind.unsuitable, "watches no master called \"m\""),
        ("$-1\r\n", .unsuitable, "watches no master"), ("_\r\n", .unsuitable, "watches no master"),
        ("-NOAUTH Authentication required.\r\n", .authentication, "refuses the login"),
        ("-ERR unknown command 'SENTINEL'\r\n", .unsuitable, "this is no sentinel"),
        ("-IDONTKNOW no\r\n", .unsuitable, "the sentinel refuses: IDONTKNOW"),
        ("*2\r\n$1\r\nh\r\n$1\r\n0\r\n", .unsuitable, "names no address"),
        ("*2\r\n$1\r\nh\r\n$5\r\n65536\r\n", .unsuitable, "names no address"),
        ("*2\r\n$1\r\nh\r\n$2\r\n-1\r\n", .unsuitable, "names no address"),
        ("*2\r\n$0\r\n\r\n$4\r\n6379\r\n", .unsuitable, "names no address"),
        ("*2\r\n$3\r\na\nb\r\n$4\r\n6379\r\n", .unsuitable, "names no address"),
        ("*2\r\n:1\r\n:2\r\n", .unsuitable, "names no address"),
        ("*1\r\n$1\r\nh\r\n", .unsuitable, "names no address"),
        ("*0\r\n", .unsuitable, "names no address"), (":1\r\n", .unsuitable, "names no address"),
        ("HTTP/1.1 400\r\n", .unsuitable, "this is no sentinel"),
        ("*9999999\r\n", .unsuitable, "this is no sentinel"),
    ])
    func anAnswerWithoutAMasterSaysWhy(
        bytes: String, kind: Rejection.Kind, says: String
    ) throws {
        for piece in [bytes.utf8.count, 1] {
            var talk = try asking()
            let bytes = Array(bytes.utf8)
            for start in stride(from: 0, to: bytes.count, by: piece) {
                let part = bytes[start..<min(start + piece, bytes.count)]
                try talk.answer(String(decoding: part, as: UTF8.self))
            }
            try talk.answer("+more\r\n")
            #expect(talk.rejections.map(\.kind) == [kind])
            #expect(talk.rejections.first?.message.contains(says) == true)
        }
    }

    /// What one session has learnt helps the next: all sentinels of the URL may have been replaced by then.
    @Test func sentinelsThatWereNamedAreAskedWhenThoseOfTheURLAreGone() throws {
        let backend = try backend(Self.url)
        var first = RedisConversation(backend.makeSession(nonce: "n"), to: endpoint(2))
        try first.answer("*2\r\n$8\r\n10.0.0.1\r\n$1\r\n9\r\n" + other(3))
        #expect(
            first.events == [
                "! learned 10.0.0.1:1 10.0.0.1:2 10.0.0.1:3", "! redirected 10.0.0.1:9",
            ])
        var second = RedisConversation(backend.makeSession(nonce: "n"), to: endpoint(3))
        #expect(second.sent().hasPrefix("SENTINEL GET-MASTER-ADDR-BY-NAME m"))
        try second.answer("*2\r\n$8\r\n10.0.0.1\r\n$1\r\n9\r\n" + other(3))
        #expect(second.events == ["! redirected 10.0.0.1:9"])
    }

    /// One that does not tell of others has answered all the same.
    @Test(arguments: ["-NOPERM no\r\n", "*-1\r\n", ":1\r\n", "*1\r\n*1\r\n$1\r\nx\r\n", "HTTP\r\n"])
    func anOddAnswerAboutOthersIsNone(answer: String) throws {
        var talk = try asking()
        try talk.answer("*2\r\n$8\r\n10.0.0.1\r\n$1\r\n9\r\n" + answer)
        #expect(talk.events == ["! redirected 10.0.0.1:9"])
        var silent = try asking()
        try silent.answer("*2\r\n$8\r\n10.0.0.1\r\n$1\r\n9\r\n")
        try silent.wait(.seconds(1))
        #expect(silent.events == ["! redirected 10.0.0.1:9"])
    }

    private func other(_ port: Int) -> String {
        "*1\r\n*6\r\n$4\r\nname\r\n$1\r\nx\r\n$2\r\nip\r\n$8\r\n10.0.0.1\r\n$4\r\nport\r\n"
            + "$1\r\n\(port)\r\n"
    }

    @Test func aSentinelThatHangsIsLeftForAnother() throws {
        var talk = try asking()
        try talk.wait(.milliseconds(900))
        #expect(talk.rejections.isEmpty)
        try talk.wait(.milliseconds(200))
        #expect(talk.rejections.first?.message.contains("not answered within 1 s") == true)
        var alone = try asking("redis-sentinel://10.0.0.1:1")
        try alone.wait(.seconds(4))
        #expect(alone.rejections.isEmpty, "there is no other")
    }

    // MARK: At the master

    @Test func theMasterIsNamedAndAReplicaIsNotTaken() throws {
        let talk = try serving()
        #expect(talk.events == ["! ready RESP3"])
        var replica = RedisConversation(
            try backend(Self.url).makeSession(nonce: "n"), to: endpoint(9))
        try replica.answer("%3\r\n+version\r\n+7\r\n+proto\r\n:3\r\n+role\r\n+replica\r\n")
        try replica.answer("*5\r\n$5\r\nslave\r\n$1\r\nh\r\n:1\r\n$9\r\nconnected\r\n:14\r\n")
        #expect(replica.rejections.map(\.kind) == [.temporary])
        #expect(replica.rejections.first?.message.contains("is a replica") == true)
    }

    /// The login may not be allowed to ask, or the server be one that does not know.
    @Test(arguments: [
        "-NOPERM no\r\n", "-ERR unknown command 'ROLE'\r\n", "*0\r\n", "_\r\n", "+OK\r\n",
        "*3\r\n$6\r\nmaster\r\n:1\r\n*1\r\n*1\r\n:1\r\n",
    ])
    func aMasterThatDoesNotNameItsReplicasIsGoodEnough(answer: String) throws {
        var talk = RedisConversation(try backend(Self.url).makeSession(nonce: "n"), to: endpoint(9))
        try talk.answer(Self.welcome + answer)
        #expect(talk.events == ["! ready RESP3"])
    }

    @Test func anAnnouncementIsFollowedAtOnce() throws {
        var talk = try serving()
        try talk.answer(announcement("other 10.0.0.1 9 10.0.0.1 8"), on: Self.first)
        try talk.answer(announcement("m 10.0.0.1 8 10.0.0.1 9"), on: Self.first)
        #expect(talk.events.count == 1, "another service's, and one that we have followed")
        try talk.answer(announcement("m 10.0.0.1 9 10.0.0.1 8"), on: Self.second)
        #expect(talk.events.last == "! redirected 10.0.0.1:8")
        #expect(talk.session.intake == .none)
        try talk.answer("+anything\r\n")
        #expect(talk.session.deadline == nil)
    }

    @Test func oneSentinelThatDiffersIsNotBelievedAndTwoAre() throws {
        var talk = try serving()
        for second in 1...5 {
            try talk.wait(.seconds(5))
            #expect(talk.events.count == 1, "\(second)")
            let question = talk.sent(on: Self.first)
            #expect(question.contains("UNSUBSCRIBE +switch-master SENTINEL GET-MASTER"))
            _ = talk.sent(on: Self.second)
            try talk.answer(left + answers(port: 8), on: Self.first)
            try talk.answer(left + answers(port: 9), on: Self.second)
        }
        try talk.wait(.seconds(5))
        try talk.answer(left + answers(port: 8), on: Self.first)
        try talk.answer(left + answers(port: 8), on: Self.second)
        #expect(talk.events.count == 1, "it may have come late")
        try talk.wait(.seconds(1))
        try talk.answer(left + answers(port: 8), on: Self.second)
        #expect(talk.events.last == "! redirected 10.0.0.1:8")
    }

    private var left: String { "*3\r\n$11\r\nunsubscribe\r\n$14\r\n+switch-master\r\n:0\r\n" }

    @Test func aSentinelThatGoesIsReplacedByOneThatOthersNamed() throws {
        var talk = try serving()
        try talk.wait(.seconds(5))
        try talk.answer(left + answers(port: 9, others: other(3)), on: Self.first)
        #expect(talk.lose(Self.second) == .survived)
        try talk.wait(.seconds(1))
        let wish = talk.output.takeConnections().first
        #expect(wish?.endpoint == .tcp(host: "10.0.0.1", port: 3))
        #expect(wish?.isLogin == false, "the master's password is none of a sentinel's")
    }

    /// A sentinel that says anything at all ends its own lane, and nothing else.
    @Test func everyValueOnAWatchedLaneIsSurvived() throws {
        for vector in respVectors {
            for isAnswered in [false, true] {
                var talk = try serving()
                if !isAnswered { try talk.wait(.seconds(5)) }
                let lanes = [Self.first, Self.second]
                for lane in lanes { try talk.answer(vector.bytes, on: lane) }
                _ = talk.output.takeFinished()
                try talk.wait(.seconds(30))
                #expect(talk.rejections.isEmpty, "\(vector.bytes)")
            }
        }
    }

    @Test func aWatchedSentinelThatFallsSilentIsLeft() throws {
        var talk = try serving()
        try talk.wait(.seconds(5))
        try talk.wait(.seconds(3))
        #expect(talk.output.takeFinished() == [Self.first, Self.second])
        #expect(talk.session.intake == .pipelined)
    }

    // MARK: URLs

    @Test(arguments: [
        ("redis-sentinel://h", "h:26379 mymaster db=0"),
        ("redis-sentinel://h:1,i,[::1]:3/2?master=m", "h:1 i:26379 [::1]:3 m db=2"),
        ("redis-sentinel://u:p@h?sentinelMasterId=m", "h:26379 m db=0 user=u password=p"),
        ("redis+sentinel://h,i/m/5", "h:26379 i:26379 m db=5"),
        ("redis+sentinel://h/m", "h:26379 m db=0"),
        ("valkey-sentinel://h/3?service_name=m&sentinel_password=q", "h:26379 m db=3 sentinel=q"),
        ("rediss-sentinel://h?ssl_cert_reqs=none", "h:26379 mymaster db=0 TLS"),
        ("redis-sentinel://h/m/0?master=n", "error: say different things"),
        ("redis-sentinel://h/a/b/0", "error: the path is no database"),
        ("redis-sentinel://", "error: a host is missing"),
        ("redis-sentinel://h,", "error: a host is missing"),
        ("redis-sentinel://h?master=", "error: 1 to 256"),
        ("redis-sentinel://h?master=a%20b", "error: without blanks"),
        ("redis-sentinel://h?sharded=true", "error: unknown option"),
    ])
    func aURLMeansWhatTheTableSays(text: String, meaning: String) throws {
        do {
            let url = try SentinelURL(try ServerURL(text))
            let parts =
                url.sentinels.map(\.description) + [url.service, "db=\(url.server.database)"]
            let others = [
                url.server.user.map { "user=\($0)" }, url.server.password.map { "password=\($0)" },
                url.password.map { "sentinel=\($0)" }, url.server.security.map { _ in "TLS" },
            ]
            #expect((parts + others.compactMap { $0 }).joined(separator: " ") == meaning)
        } catch {
            let part = meaning.dropFirst("error: ".count)
            #expect(meaning.hasPrefix("error: ") && "\(error)".contains(part), "\(error)")
        }
    }

    @Test func bothPasswordsAreSecret() throws {
        let backend = try backend("redis-sentinel://u:one@h?sentinel_password=two")
        #expect(backend.secrets == ["one", "two"])
    }
}
