import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// A connection that is silent behind a PUBLISH, and the other connection that tells whether the server has paused.
struct RedisWitnessTests {
    /// A session (`ping` is 10 s) that has published, and has had no answer since.
    private func silent(_ url: String = "redis://h") throws -> RedisConversation {
        var scene = try RedisConversation(url)
        try scene.answer("%2\r\n+version\r\n+7\r\n+role\r\n+master\r\n")
        scene.perform(.publish([Publication(ticket: 0, channel: "c", payload: .text("x"))]))
        _ = scene.sent()
        return scene
    }

    /// Lets time pass in the session's steps, until it wants a lane. Returns true if it does.
    private func passUntilWitness(_ scene: inout RedisConversation) throws -> Bool {
        let end = scene.now + .seconds(60)
        while let due = scene.session.deadline, due < end {
            scene.now = max(scene.now, due)
            try scene.session.timeReached(scene.now, into: &scene.output)
            if scene.wishes().contains(.witness) { return true }
        }
        return false
    }

    private func pass(_ duration: Duration, _ scene: inout RedisConversation) throws {
        let end = scene.now + duration
        while let due = scene.session.deadline, due <= end {
            scene.now = max(scene.now, due)
            try scene.session.timeReached(scene.now, into: &scene.output)
        }
        scene.now = end
    }

    @Test(arguments: ["redis://h", "redis://:pw@h"])
    func aPauseIsWaitedForHoweverLong(url: String) throws {
        let login = url.contains("pw")
        var scene = try silent(url)
        for round in 0..<20 {
            #expect(try passUntilWitness(&scene))
            scene.open(.witness)
            let asked = scene.sent(on: .witness)
            #expect(
                asked.hasPrefix(login ? "AUTH pw PING PUBLISH broadcaster_probe_" : "PING PUBLISH"))
            try scene.answer((login ? "+OK\r\n" : "") + "+PONG\r\n", on: .witness)
            // A witness for each question: what it is asked is held back too.
            #expect(scene.output.takeFinished() == (round == 0 ? [] : [.witness]))
        }
        // The pause is over: all is answered, and the witness goes.
        try scene.answer(":1\r\n")
        #expect(scene.events.contains("! published 0 1"))
        #expect(scene.output.takeFinished().contains(.witness))
    }

    /// What the witness may hear instead. Each leaves the verdict as it was: the connection is dead, and as early.
    @Test(arguments: [
        "", "+PONG\r\n:0\r\n", "+PONG\r\n-NOPERM no\r\n", "-NOAUTH Authentication required.\r\n",
        "-ERR max number of clients reached\r\n", ":1\r\n", "garbage\r\n",
    ])
    func aServerThatIsNotPausedIsGivenUpInTime(answer: String) throws {
        var scene = try silent()
        let start = scene.now
        #expect(try passUntilWitness(&scene))
        scene.open(.witness)
        try scene.answer(answer, on: .witness)
        let error = #expect(throws: ProtocolError.self) { try pass(.seconds(60), &scene) }
        #expect(error?.description.contains("silent") == true)
        #expect(scene.now - start <= .seconds(15))
    }

    @Test func aWitnessThatIsLostIsNoLoss() throws {
        var scene = try silent()
        #expect(try passUntilWitness(&scene))
        scene.open(.witness)
        try scene.answer("+PONG\r\n", on: .witness)
        #expect(scene.lose(.witness) == .survived)
        #expect(throws: ProtocolError.self) { try pass(.seconds(60), &scene) }
    }

    /// The witness's PUBLISH must have been on its way for as long as PING took: else a slow line would pass for a pause.
    @Test func anAnswerThatMayStillComeProvesNothing() throws {
        var scene = try silent()
        #expect(try passUntilWitness(&scene))
        scene.open(.witness)
        try pass(.seconds(3), &scene)
        try scene.answer("+PONG\r\n", on: .witness)
        #expect(throws: ProtocolError.self) { try pass(.seconds(2), &scene) }
    }

    /// Nothing that a pause holds back stands before this PING.
    @Test func withoutAPublishThereIsNoWitness() throws {
        var scene = try RedisConversation()
        try scene.answer("%2\r\n+version\r\n+7\r\n+role\r\n+master\r\n")
        scene.perform(.subscribe([Topic(id: 0, name: .channel("c"))]))
        let error = #expect(throws: ProtocolError.self) { _ = try passUntilWitness(&scene) }
        #expect(error?.description.contains("silent") == true)
    }
}
