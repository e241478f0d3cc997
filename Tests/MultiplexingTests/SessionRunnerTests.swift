import BroadcasterMultiplexing
import BroadcasterTesting
import BroadcasterWire
import Testing

/// The runner with a session of five lanes to three servers, on a clock that stands still.
struct SessionRunnerTests {
    private let network = MeshNetwork()
    private let a = MeshNetwork.servers[0]
    private let b = MeshNetwork.servers[1]

    private func connected() async throws -> ServerDriver {
        let driver = network.driver()
        _ = try await driver.start()
        return driver
    }

    private func publish(
        _ text: String, to channel: String, _ driver: ServerDriver
    ) async -> Result<Receipt, PublishFailure> {
        await driver.publish(.text(text), to: channel, isolation: nil)
    }

    /// Lanes 1 and 4 lead to b, 2 to c, 0 and 3 to a.
    @Test func aServerThatDiesTakesItsOwnChannelsAlone() async throws {
        let driver = try await connected()
        var each: [MeshSubscriber] = []
        for lane in 0..<5 { each.append(try await MeshSubscriber(network.hub, ["\(lane)x"])) }
        let all = try await MeshSubscriber(network.hub, (0..<5).map { "\($0)x" })
        for lane in 0..<5 {
            #expect(await publish("1", to: "\(lane)x", driver) == .success(Receipt()))
        }
        network.kill(b)
        for lane in [0, 2, 3] {
            #expect(await publish("2", to: "\(lane)x", driver) == .success(Receipt()))
            #expect(each[lane].taken() == ["\(lane)x:1", "\(lane)x:2"], "no pause, no gap")
        }
        #expect(all.taken() == [0, 1, 2, 3, 4].map { "\($0)x:1" } + ["0x:2", "2x:2", "3x:2"])
        guard case .failure(.refused(let rejection)) = await publish("2", to: "1x", driver) else {
            Issue.record("published to a dead server")
            return
        }
        #expect(rejection.kind == .temporary)
        network.clock.advance(by: .seconds(2))
        network.revive(b)
        network.clock.advance(by: .milliseconds(20))
        for lane in 0..<5 {
            #expect(await publish("3", to: "\(lane)x", driver) == .success(Receipt()))
        }
        #expect(each[1].taken() == ["1x:1", "gap2.02", "1x:3"])
        #expect(each[4].taken() == ["4x:1", "gap2.02", "4x:3"])
        #expect(each[0].taken() == ["0x:3"])
        // Two lanes to the same server are two losses, but nothing of the others stands between them.
        #expect(all.taken().filter { !$0.hasPrefix("gap") } == (0..<5).map { "\($0)x:3" })
        #expect(network.statuses.count == 2, "connecting, ready: the session goes on")
        await driver.stop()
    }

    @Test func theMainLaneCanBeDoneWithoutToo() async throws {
        let driver = try await connected()
        let own = try await MeshSubscriber(network.hub, ["0x"])
        let other = try await MeshSubscriber(network.hub, ["2x"])
        network.kill(a)
        #expect(await publish("1", to: "2x", driver) == .success(Receipt()))
        network.revive(a)
        network.clock.advance(by: .milliseconds(20))
        #expect(await publish("2", to: "0x", driver) == .success(Receipt()))
        #expect(other.taken() == ["2x:1"])
        #expect(own.taken() == ["gap0.02", "0x:2"])
        #expect(driver.reconnects == 0)
        await driver.stop()
    }

    @Test func messagesOnALostLaneHaveAnUnknownOutcomeAndOthersDoNot() async throws {
        let driver = try await connected()
        network.silence(b)
        async let lost = publish("1", to: "1x", driver)
        async let kept = publish("1", to: "2x", driver)
        #expect(await kept == .success(Receipt()))
        while !network.heard(b).contains("pub") { await Task.yield() }
        network.kill(b)
        guard case .failure(.outcomeUnknown(let reason)) = await lost else {
            Issue.record("not unknown")
            return
        }
        #expect(reason == "b:1 died")
        await driver.stop()
    }

    @Test func aSubscriptionToADeadServerWaitsForIt() async throws {
        let driver = try await connected()
        network.kill(b)
        async let subscriber = MeshSubscriber(network.hub, ["1x"])
        while network.hub.counts.topics == 0 { await Task.yield() }
        // Far longer than an answer may take: none is due.
        network.clock.advance(by: .seconds(60))
        network.revive(b)
        network.clock.advance(by: .milliseconds(20))
        #expect(try await subscriber.taken() == [])
        #expect(network.statuses.count == 2)
        await driver.stop()
    }

    @Test func aChannelThatIsLeftMeanwhileIsNotAskedForAgain() async throws {
        let driver = try await connected()
        let subscriber = try await MeshSubscriber(network.hub, ["1x"])
        network.kill(b)
        network.hub.remove(subscriber.id)
        network.revive(b)
        network.clock.advance(by: .seconds(1))
        #expect(network.hub.counts.topics == 0)
        await driver.stop()
    }

    @Test func aServerThatSendsAndDoesNotAnswerIsGivenUp() async throws {
        let driver = try await connected()
        let subscriber = try await MeshSubscriber(network.hub, ["2x"])
        network.silence(a)
        let ping = Task { try await driver.ping() }
        while !network.heard(a).contains("ping") { await Task.yield() }
        network.clock.advance(by: .seconds(19))
        #expect(await publish("1", to: "2x", driver) == .success(Receipt()))
        network.clock.advance(by: .seconds(20))
        network.unsilence(a)
        network.clock.advance(by: .seconds(1))
        await #expect(throws: ConnectionFailure.self) { try await ping.value }
        #expect(subscriber.taken().count == 2, "the message, and a gap")
        #expect(driver.reconnects == 1)
        await driver.stop()
    }

    /// A program that loads "the last so many seconds" anew must not miss what came between the last sign of the server
    /// and the moment at which the loss was noticed.
    @Test func aGapCountsFromTheLastSignOfTheServer() async throws {
        let driver = network.driver(lanes: 1)
        _ = try await driver.start()
        let subscriber = try await MeshSubscriber(network.hub, ["0x"])
        network.clock.advance(by: .seconds(10))
        #expect(await publish("1", to: "0x", driver) == .success(Receipt()))
        network.silence(a)
        network.clock.advance(by: .seconds(5))
        let ping = Task { try await driver.ping() }
        while !network.heard(a).contains("ping") { await Task.yield() }
        network.clock.advance(by: .seconds(20))
        await #expect(throws: ConnectionFailure.self) { try await ping.value }
        network.unsilence(a)
        network.clock.advance(by: .seconds(1))
        #expect(await publish("2", to: "0x", driver) == .success(Receipt()))
        let seen = subscriber.taken()
        #expect(seen.first == "0x:1" && seen.last == "0x:2" && seen.count == 3)
        // Noticed 25 s after the last answer, and back within a second.
        #expect(seen.contains { $0.hasPrefix("gap25.") }, "\(seen)")
        await driver.stop()
    }

    // MARK: Redirection

    @Test func aRedirectionIsFollowed() async throws {
        let sentinel = Endpoint.tcp(host: "s", port: 9)
        network.redirect(sentinel, to: "a:1")
        let driver = network.driver([sentinel])
        _ = try await driver.start()
        #expect(network.attempts.prefix(2) == [sentinel, a])
        let subscriber = try await MeshSubscriber(network.hub, ["0x"])
        #expect(await publish("1", to: "0x", driver) == .success(Receipt()))
        #expect(subscriber.taken() == ["0x:1"])
        await driver.stop()
    }

    @Test func aChainOfRedirectionsIsFollowedAndALoopIsNot() async throws {
        let chain = (0..<4).map { Endpoint.tcp(host: "s\($0)", port: 9) }
        for (one, next) in zip(chain, chain.dropFirst()) { network.redirect(one, to: "\(next)") }
        network.redirect(chain[3], to: "a:1")
        let driver = network.driver([chain[0]])
        _ = try await driver.start()
        #expect(Array(network.attempts.prefix(5)) == chain + [a])
        await driver.stop()

        let looping = MeshNetwork()
        looping.redirect(chain[0], to: "s1:9")
        looping.redirect(chain[1], to: "s0:9")
        let lost = looping.driver([chain[0]])
        let starting = Task { try await lost.start() }
        while looping.attempts.count < 6 { await Task.yield() }
        looping.clock.advance(by: .seconds(6))
        let error = await #expect(throws: ConnectionFailure.self) { try await starting.value }
        #expect("\(String(describing: error))".contains("redirected 5 times"))
        await lost.stop()
    }

    @Test func aRedirectIntoSilenceEndsWithinTheTimeOfConnect() async throws {
        let (sentinel, silent) = (
            Endpoint.tcp(host: "s", port: 9), Endpoint.tcp(host: "z", port: 1)
        )
        network.redirect(sentinel, to: "z:1")
        network.silence(silent)
        let driver = network.driver([sentinel])
        let start = network.clock.now
        let starting = Task { try await driver.start() }
        while network.attempts.count < 2 { await Task.yield() }
        network.clock.advance(by: .seconds(5))
        await #expect(throws: ConnectionFailure.self) { try await starting.value }
        #expect(network.clock.now - start == .seconds(5))
        await driver.stop()
    }

    // MARK: The end

    @Test func stoppingEndsSubscribersAndSaysSo() async throws {
        let driver = try await connected()
        let subscriber = try await MeshSubscriber(network.hub, ["0x"])
        #expect(await publish("1", to: "0x", driver) == .success(Receipt()))
        await driver.stop()
        #expect(subscriber.taken() == ["0x:1", "end "])
        #expect(network.statuses.last == .closed(.closed))
        #expect(await publish("2", to: "0x", driver) == .failure(.closed))
    }
}
