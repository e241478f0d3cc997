import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Servers that are like Redis, and not quite.
struct RedisHandshakeTests {
    // MARK: HELLO is refused

    /// As servers and proxies word it that have no RESP3.
    static let refusals = [
        "NOPROTO unsupported protocol version",
        "NOPROTO sorry, this protocol version is not supported.",
        "ERR unknown command 'HELLO', with args beginning with: '3'", "ERR unknown command `hello`",
        "ERR unsupported command `hello`", "ERR unknown command", "ERR syntax error",
        "ERR Protocol version is not an integer or out of range",
        "ERR wrong number of arguments for 'hello' command", "ERR command not supported",
        "ERR invalid request", "ERR Proxy error", "unsupported", "NOPERM not allowed to hello",
        "ERR only RESP2 is supported",
        "ERR Client sent AUTH, but no password is set",
    ]

    @Test(arguments: refusals, ["", ":pw@"])
    func anyRefusalOfHelloLeadsToRESP2(words: String, login: String) throws {
        var scene = try RedisConversation("redis://\(login)h")
        #expect(scene.sent().hasPrefix("HELLO 3"))
        try scene.answer("-\(words)\r\n")
        #expect(scene.sent() == (login.isEmpty ? "INFO server" : "AUTH pw"))
        if !login.isEmpty { try scene.answer("+OK\r\n") }
        for _ in 0..<2 { try scene.answer("$0\r\n\r\n") }
        #expect(scene.wishes() == [.subscriptions] && scene.rejections.isEmpty)
    }

    /// NOAUTH in spite of a login comes from a proxy that knows AUTH alone.
    @Test func aProxyThatTakesOnlyAUTHIsGivenThat() throws {
        var scene = try RedisConversation("redis://:pw@h")
        _ = scene.sent()
        try scene.answer("-NOAUTH Authentication required.\r\n")
        #expect(scene.sent() == "AUTH pw")
        try scene.answer("-ERR invalid password\r\n")
        #expect(scene.rejections.map(\.kind) == [.authentication])
    }

    @Test(arguments: [
        (
            "", "NOAUTH HELLO must be called with the client already authenticated",
            Rejection.Kind.authentication
        ),
        (":pw@", "WRONGPASS invalid username-password pair or user is disabled.", .authentication),
        (":pw@", "ERR invalid password", .authentication),
        ("", "LOADING Redis is loading the dataset in memory", .temporary),
        ("", "ERR max number of clients reached", .temporary),
        ("", "BUSY Redis is busy running a script", .temporary),
        ("", "DENIED Redis is running in protected mode", .permanent),
    ])
    func whatRESP2WouldNotMendIsTheEnd(login: String, words: String, kind: Rejection.Kind) throws {
        var scene = try RedisConversation("redis://\(login)h")
        _ = scene.sent()
        try scene.answer("-\(words)\r\n")
        #expect(scene.rejections == [Rejection(kind: kind, message: words)])
        #expect(scene.sent() == "")
    }

    /// The first answer may be about the connection in RESP2 too, where the login is asked for first.
    @Test(arguments: [
        ("ERR max number of clients reached", Rejection.Kind.temporary),
        ("LOADING Redis is loading the dataset in memory", .temporary),
        ("DENIED Redis is running in protected mode", .permanent),
        ("ERR Client sent AUTH, but no password is set", .authentication),
    ])
    func theAnswerToAUTHIsSortedToo(words: String, kind: Rejection.Kind) throws {
        var scene = try RedisConversation("redis://:pw@h?protocol=2")
        try scene.answer("-\(words)\r\n")
        #expect(scene.rejections.map(\.kind) == [kind])
    }

    // MARK: HELLO is not answered

    @Test func aServerThatClosesOnHelloIsTriedOnceInRESP2() throws {
        var scene = try RedisConversation("redis://:pw@h")
        _ = scene.sent()
        #expect(scene.lose(.main) == .survived)
        #expect(scene.wishes() == [.main])
        scene.open(.main)
        #expect(scene.sent() == "AUTH pw")
        try scene.answer("+OK\r\n$0\r\n\r\n$0\r\n\r\n")
        #expect(scene.wishes() == [.subscriptions])
        scene.open(.subscriptions)
        try scene.answer("+OK\r\n", on: .subscriptions)
        #expect(scene.events == ["! ready RESP2"])
    }

    @Test(arguments: ["redis://h", "redis://h?protocol=2"])
    func onceIsEnough(url: String) throws {
        var scene = try RedisConversation(url)
        if !url.hasSuffix("2") {
            #expect(scene.lose(.main) == .survived)
            _ = scene.wishes()
            scene.open(.main)
        }
        #expect(scene.lose(.main) == .ended)
        #expect(scene.wishes().isEmpty)
    }

    /// It has said why, and that must not be lost with the connection.
    @Test func aServerThatRefusesHelloAndClosesIsQuoted() throws {
        var scene = try RedisConversation()
        try scene.answer("-ERR go away\r\n")
        #expect(scene.lose(.main) == .survived)
        #expect(scene.rejections == [Rejection(kind: .permanent, message: "ERR go away")])
    }

    @Test func anOpenSessionDoesNotSurviveItsMainLane() throws {
        var scene = try RedisConversation()
        try scene.answer("%1\r\n+version\r\n+7\r\n")
        #expect(scene.lose(.main) == .ended)
    }

    // MARK: HELLO is answered otherwise

    @Test(arguments: [
        (
            "*6\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:2\r\n$4\r\nmode\r\n+standalone\r\n",
            "RESP2"
        ),
        ("*2\r\n+server\r\n+pika\r\n", "RESP2"), ("*0\r\n", "RESP2"),
        ("*3\r\n+proto\r\n:2\r\n+odd\r\n", "RESP2"),
        ("*4\r\n+proto\r\n:3\r\n+modules\r\n*0\r\n", "RESP3"),
        ("%1\r\n+proto\r\n:2\r\n", "RESP2"), ("%1\r\n+proto\r\n$1\r\n2\r\n", "RESP2"),
        ("%1\r\n+proto\r\n:3\r\n", "RESP3"), ("%1\r\n+proto\r\n$1\r\n3\r\n", "RESP3"),
        ("%1\r\n+server\r\n+redis\r\n", "RESP3"), ("%0\r\n", "RESP3"),
    ])
    func theAnswerToHelloSaysWhichRESPIsSpoken(answer: String, dialect: String) throws {
        var scene = try RedisConversation("redis://:pw@h")
        _ = scene.sent()
        try scene.answer(answer)
        // HELLO has logged in, whatever it was answered with.
        #expect(!scene.sent().contains("AUTH"))
        try scene.answer("$0\r\n\r\n")
        if dialect == "RESP2" {
            try scene.answer("$0\r\n\r\n")
            #expect(scene.wishes() == [.subscriptions])
            scene.open(.subscriptions)
            #expect(scene.sent(on: .subscriptions) == "AUTH pw")
            try scene.answer("+OK\r\n", on: .subscriptions)
        }
        #expect(scene.events == ["! ready \(dialect)"])
    }

    // MARK: What is nice to have

    static let shrugs = [
        "+OK\r\n", ":1\r\n", "$-1\r\n", "*0\r\n", "-ERR unknown command\r\n", "-NOPERM no\r\n",
    ]

    @Test(arguments: shrugs, shrugs)
    func nothingThatIsNiceToHaveDecides(name: String, information: String) throws {
        var scene = try RedisConversation("redis://h?protocol=2&client_name=web")
        #expect(scene.sent() == "CLIENT SETNAME web")
        try scene.answer(name)
        #expect(scene.sent() == "INFO server")
        try scene.answer(information)
        if scene.sent() == "INFO replication" { try scene.answer(information) }
        #expect(scene.wishes() == [.subscriptions])
        scene.open(.subscriptions)
        try scene.answer(name, on: .subscriptions)
        #expect(scene.events.last == "! ready RESP2" && scene.rejections.isEmpty)
        let warning = "! warned client_name is not set: "
        #expect(scene.events.count { $0.hasPrefix(warning) } == (name.first == "-" ? 2 : 0))
    }

    /// A server whose HELLO takes no name still speaks RESP3.
    @Test(arguments: ["+OK\r\n", "-ERR unknown command 'CLIENT'\r\n"])
    func aNameThatHelloRefusesIsGivenLater(answer: String) throws {
        var scene = try RedisConversation("redis://:pw@h?client_name=web")
        #expect(scene.sent() == "HELLO 3 AUTH default pw SETNAME web")
        try scene.answer("-ERR Syntax error in HELLO option 'SETNAME'\r\n")
        #expect(scene.sent() == "HELLO 3 AUTH default pw")
        try scene.answer("%2\r\n+version\r\n+7\r\n+proto\r\n:3\r\n")
        #expect(scene.sent() == "CLIENT SETNAME web")
        try scene.answer(answer)
        #expect(scene.events.last == "! ready RESP3")
        #expect(scene.events.count == (answer.first == "-" ? 2 : 1))
    }

    /// Where a login is missing, that is what the server says to anything.
    @Test(arguments: ["protocol=2", "protocol=2&client_name=web"])
    func aMissingLoginDecides(query: String) throws {
        var scene = try RedisConversation("redis://h?\(query)")
        try scene.answer("-NOAUTH Authentication required.\r\n")
        #expect(scene.rejections.map(\.kind) == [.authentication])
    }

    // MARK: The login, the database, the kind of server

    @Test(arguments: [
        ("redis://h", "HELLO 3"), ("redis://:@h", "HELLO 3"),
        ("redis://:@h?protocol=2", "INFO server"), ("redis://:pw@h?protocol=2", "AUTH pw"),
        ("redis://:pw@h", "HELLO 3 AUTH default pw"), ("redis://u:pw@h", "HELLO 3 AUTH u pw"),
        ("redis://u:pw@h?protocol=2", "AUTH u pw"),
    ])
    func anEmptyPasswordIsNone(url: String, first: String) throws {
        var scene = try RedisConversation(url)
        #expect(scene.sent() == first)
    }

    @Test(arguments: [
        ("ERR DB index is out of range", Rejection.Kind.permanent),
        ("ERR SELECT is not allowed in cluster mode", .permanent), ("NOPERM no", .permission),
    ])
    func aRefusedDatabaseIsCalledNeedless(words: String, kind: Rejection.Kind) throws {
        var scene = try RedisConversation("redis://h/7")
        try scene.answer("%1\r\n+version\r\n+7\r\n")
        #expect(scene.sent().hasSuffix("SELECT 7"))
        try scene.answer("-\(words)\r\n")
        let text = "PUB/SUB needs no database, drop the /7: \(words)"
        #expect(scene.rejections == [Rejection(kind: kind, message: text)])
    }

    @Test(arguments: [
        ("", "%2\r\n+version\r\n+7\r\n+mode\r\n+sentinel\r\n"),
        ("?protocol=2", "$41\r\nredis_version:7.0.15\r\nredis_mode:sentinel\r\n"),
    ])
    func aSentinelIsRecognised(query: String, answer: String) throws {
        var scene = try RedisConversation("redis://h\(query)")
        try scene.answer(answer)
        #expect(scene.rejections.first?.message.contains("this is a sentinel") == true)
    }

    @Test(
        arguments: [
            ("master", true), ("primary", true), ("leader", true), ("", true), ("Slave?", true),
            ("slave", false), ("replica", false),
        ], ["", "?protocol=2"])
    func onlyRedisOwnWordsForAReplicaRefuse(_ role: (word: String, publishes: Bool), query: String)
        throws
    {
        var scene = try RedisConversation("redis://h\(query)")
        if query.isEmpty {
            try scene.answer("%2\r\n+version\r\n+7\r\n+role\r\n+\(role.word)\r\n")
        } else {
            let line = "role:\(role.word)\r\n"
            try scene.answer("$0\r\n\r\n$\(line.utf8.count)\r\n\(line)\r\n")
            scene.open(.subscriptions)
        }
        _ = scene.sent()
        scene.perform(.publish([Publication(ticket: 0, channel: "c", payload: .text("x"))]))
        #expect(scene.sent() == (role.publishes ? "PUBLISH c x" : ""))
        #expect(scene.rejections.isEmpty == role.publishes)
    }
}
