import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// The probe that distinguishes a server that delivers from one that only answers.
struct RedisProbeTests {
    /// A session with a server whose answers the test writes, and a clock that the test moves.
    private struct Scene {
        var session: any Session
        var output = SessionOutput()
        var buffer = ReceiveBuffer()
        var now = Instant.now
        static let probe = "broadcaster_probe_nonce"

        init(role: String = "master", mode: String = "standalone") throws {
            let options = CommonOptions(
                connectTimeout: .seconds(5), publishTimeout: .seconds(5),
                pingInterval: .seconds(10), maximumMessageSize: 1 << 20)
            session = try RedisBackend(try ServerURL("redis://h"), options: options)
                .makeSession(nonce: "nonce")
            session.opened(.main, to: .test, at: now, into: &output)
            try answer(Scene.hello(role, mode))
            _ = sent()
        }

        static func hello(_ role: String, _ mode: String = "standalone") -> String {
            "%4\r\n+version\r\n+7.0\r\n+proto\r\n:3\r\n+mode\r\n+\(mode)\r\n+role\r\n+\(role)\r\n"
        }

        mutating func answer(_ text: String) throws {
            buffer.append(text.utf8)
            try session.receive(&buffer, on: .main, at: now, into: &output)
        }

        /// The bytes sent since the last call.
        mutating func sent() -> String {
            defer { output[.main] = [] }
            return String(decoding: output[.main], as: UTF8.self)
        }

        mutating func subscribe() throws {
            session.perform(
                .subscribe([Topic(id: 0, name: .channel("c"))]), at: now, into: &output)
            try answer(">3\r\n+subscribe\r\n+c\r\n:1\r\n")
            _ = sent()
        }

        /// The server's answers to each command; a command that is missing here gets none.
        var answers = [
            "PING": "+PONG\r\n",
            "HELLO": Scene.hello("master"),
            "SUBSCRIBE": ">3\r\n+subscribe\r\n+\(probe)\r\n:2\r\n",
            "UNSUBSCRIBE": ">3\r\n+unsubscribe\r\n+\(probe)\r\n:0\r\n",
            "PUBLISH": ">3\r\n$7\r\nmessage\r\n$23\r\n\(probe)\r\n$0\r\n\r\n:1\r\n",
        ]

        /// Lets time pass in the session's steps. Returns the bytes that it sent.
        mutating func pass(_ duration: Duration) throws -> String {
            var all = ""
            let end = now + duration
            while let due = session.deadline, due <= end {
                now = max(now, due)
                try session.timeReached(now, into: &output)
                while case let piece = sent(), !piece.isEmpty {
                    all += piece
                    for word in piece.split(separator: "\r\n") {
                        if let answer = answers[String(word)] { try self.answer(answer) }
                    }
                }
            }
            now = end
            return all
        }

        var rejections: [Rejection] {
            mutating get {
                output.takeEvents().compactMap { if case .rejected(let r) = $0 { r } else { nil } }
            }
        }
    }

    @Test func withoutSubscribersThereIsNoProbe() throws {
        var scene = try Scene()
        #expect(!(try scene.pass(.seconds(60)).contains(Scene.probe)))
    }

    @Test func anIdleSessionPublishesToItselfAndLivesOnWhenThatComes() throws {
        var scene = try Scene()
        try scene.subscribe()
        let sent = try scene.pass(.seconds(100))
        #expect(sent.ranges(of: "SUBSCRIBE").count == 1)
        #expect((8...14).contains(sent.ranges(of: "PUBLISH").count))
        let messages = scene.output.takeEvents().filter {
            if case .messages = $0 { true } else { false }
        }
        #expect(messages.isEmpty, "the probe is nobody's message")
    }

    /// A server, or a proxy, that answers everything and delivers nothing.
    @Test func aServerThatAnswersAndDoesNotDeliverIsGivenUp() throws {
        var scene = try Scene()
        try scene.subscribe()
        scene.answers["PUBLISH"] = ":1\r\n"
        let error = #expect(throws: ProtocolError.self) { _ = try scene.pass(.seconds(15)) }
        #expect(error?.description.contains("does not come back") == true)
    }

    /// A server that does not even answer proves nothing of its deliveries.
    @Test func aSlowAnswerIsWaitedFor() throws {
        var scene = try Scene()
        try scene.subscribe()
        scene.answers = [:]
        let error = #expect(throws: ProtocolError.self) { _ = try scene.pass(.seconds(15)) }
        #expect(error?.description.contains("silent") == true)
    }

    /// The message may be large, and the line slow.
    @Test func whoTakesOurMessageIsAlive() throws {
        var scene = try Scene()
        try scene.subscribe()
        scene.answers = [:]
        for _ in 0..<10 {
            _ = try scene.pass(.seconds(3))
            scene.session.wrote(on: .main, at: scene.now)
        }
        #expect(throws: ProtocolError.self) { _ = try scene.pass(.seconds(15)) }
    }

    /// The answer to an earlier request stands behind it.
    @Test func aLargeMessageOnItsWayIsASignOfLife() throws {
        var scene = try Scene()
        try scene.subscribe()
        scene.answers = [:]
        try scene.answer(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1000000\r\n")
        for _ in 0..<49 {
            try scene.answer(String(repeating: "x", count: 20_000))
            _ = try scene.pass(.seconds(1))
        }
    }

    /// INFO is refused while a script runs; the master may be demoted after that.
    @Test func theRoleIsAskedAgainAfterABusyMoment() throws {
        var scene = try Scene()
        scene.answers["HELLO"] = "-BUSY Redis is busy running a script\r\n"
        _ = try scene.pass(.seconds(11))
        scene.answers["HELLO"] = Scene.hello("slave")
        _ = try scene.pass(.seconds(11))
        #expect(scene.rejections.count == 1)
    }

    /// One probe falls into that moment; the next ones count.
    @Test func aBusyMomentDoesNotEndTheProbes() throws {
        var scene = try Scene()
        try scene.subscribe()
        scene.answers["PUBLISH"] = "-BUSY Redis is busy running a script\r\n"
        _ = try scene.pass(.seconds(25))
        scene.answers["PUBLISH"] = ":1\r\n"
        let error = #expect(throws: ProtocolError.self) { _ = try scene.pass(.seconds(30)) }
        #expect(error?.description.contains("does not come back") == true)
    }

    /// The way to the server is cut, and messages still come.
    @Test func aServerThatSendsAndAnswersNothingIsGivenUp() throws {
        var scene = try Scene()
        try scene.subscribe()
        scene.answers = [:]
        let error = #expect(throws: ProtocolError.self) {
            for _ in 0..<60 {
                _ = try scene.pass(.seconds(1))
                try scene.answer(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n")
            }
        }
        #expect(error?.description.contains("has answered nothing") == true)
    }

    @Test func aBusyChannelIsProofEnough() throws {
        var scene = try Scene()
        try scene.subscribe()
        for _ in 0..<30 {
            try scene.answer(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n")
            #expect(!(try scene.pass(.seconds(3)).contains(Scene.probe)))
        }
    }

    @Test(arguments: ["SUBSCRIBE", "PUBLISH"])
    func aUserWithoutTheRightIsLeftAlone(refused: String) throws {
        var scene = try Scene()
        try scene.subscribe()
        scene.answers[refused] = "-NOPERM no\r\n"
        let sent = try scene.pass(.seconds(120))
        #expect(sent.ranges(of: refused).count == 1)
    }

    @Test func theProbeLeavesWithTheLastChannel() throws {
        var scene = try Scene()
        try scene.subscribe()
        #expect(try scene.pass(.seconds(10)).contains(Scene.probe))
        scene.session.perform(
            .unsubscribe([Topic(id: 0, name: .channel("c"))]), at: scene.now, into: &scene.output)
        _ = scene.sent()
        try scene.answer(">3\r\n+unsubscribe\r\n+c\r\n:1\r\n")
        let sent = scene.sent()
        #expect(sent.contains("UNSUBSCRIBE") && sent.contains(Scene.probe))
        try scene.answer(">3\r\n+unsubscribe\r\n+\(Scene.probe)\r\n:0\r\n")
        #expect(!(try scene.pass(.seconds(60)).contains(Scene.probe)))
    }

    @Test func otherProbesAreNoMessagesOfAPattern() throws {
        var scene = try Scene()
        scene.session.perform(
            .subscribe([Topic(id: 0, name: .pattern("*"))]), at: scene.now, into: &scene.output)
        try scene.answer(">3\r\n+psubscribe\r\n+*\r\n:1\r\n")
        _ = scene.output.takeEvents()
        try scene.answer(">4\r\n+pmessage\r\n+*\r\n+broadcaster_probe_other\r\n+\r\n")
        let events = scene.output.takeEvents()
        #expect(events.isEmpty)
    }

    // MARK: The role

    @Test func aMasterThatBecomesAReplicaIsGivenUp() throws {
        var scene = try Scene()
        _ = try scene.pass(.seconds(30))
        #expect(scene.rejections.isEmpty)
        scene.answers["HELLO"] = Scene.hello("replica")
        _ = try scene.pass(.seconds(11))
        let rejections = scene.rejections
        #expect(rejections.map(\.kind) == [.unsuitable])
    }

    @Test func aReplicaMaySubscribeAndNotPublish() throws {
        var scene = try Scene(role: "replica")
        try scene.subscribe()
        scene.answers["HELLO"] = Scene.hello("replica")
        _ = try scene.pass(.seconds(30))
        #expect(scene.rejections.isEmpty)
        scene.session.perform(
            .publish([Publication(ticket: 3, channel: "c", payload: .text("x"))]),
            at: scene.now, into: &scene.output)
        let lines = scene.output.takeEvents().flatMap { TranscriptLine.event($0) { _ in nil } }
        #expect(lines.count == 2 && lines[0].hasPrefix("! publish refused 3 the server is a rep"))
        #expect(!scene.sent().contains("PUBLISH"))
    }

    /// Every node of a cluster passes on published messages.
    @Test func aReplicaOfAClusterMayPublish() throws {
        var scene = try Scene(role: "replica", mode: "cluster")
        scene.session.perform(
            .publish([Publication(ticket: 3, channel: "c", payload: .text("x"))]),
            at: scene.now, into: &scene.output)
        #expect(scene.sent().contains("PUBLISH"))
    }

    @Test func aServerThatDoesNotTellItsRoleIsTakenAsItIs() throws {
        var scene = try Scene()
        scene.answers["HELLO"] = "-ERR no\r\n"
        let sent = try scene.pass(.seconds(120))
        #expect(sent.ranges(of: "HELLO").count == 1)
    }
}
