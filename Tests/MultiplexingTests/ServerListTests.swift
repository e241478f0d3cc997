import BroadcasterMultiplexing
import BroadcasterWire
import Testing

struct ServerListTests {
    private static func server(_ name: String) -> Endpoint { .tcp(host: name, port: 1) }
    private let listed = ["a", "b", "c"].map(server)

    @Test func aRoundTriesEachOnceAndTheNextGoesOnBehindIt() {
        var servers = ServerList(listed)
        var tried: [Endpoint] = []
        for left in [3, 2, 1] {
            #expect(servers.left == left && servers.hasNext == (left > 1))
            tried.append(servers.current)
            servers.advance()
        }
        #expect(tried == listed)
        servers.beginRound()
        #expect(servers.current == listed[0] && servers.left == 3)
    }

    @Test func theServerThatHeldIsTriedFirstAgain() {
        var servers = ServerList(listed)
        servers.advance()
        servers.connected()
        servers.lost()
        #expect(servers.current == listed[1] && servers.left == 3)
    }

    @Test func aRedirectionIsTriedBeforeTheRestOfTheList() {
        var servers = ServerList(listed)
        let isFollowed = servers.redirect(to: [Self.server("x"), Self.server("y")])
        #expect(isFollowed)
        var tried: [Endpoint] = []
        while servers.left > 0, tried.count < 10 {
            tried.append(servers.current)
            servers.advance()
        }
        #expect(tried == ["x", "y", "b", "c"].map(Self.server))
    }

    /// The master may be another one by then: the server that knows is asked, not the one that it named.
    @Test func aLostConnectionGoesBackToTheServerThatRedirected() {
        var servers = ServerList(listed)
        _ = servers.redirect(to: [Self.server("x")])
        servers.connected()
        #expect(servers.current == Self.server("x"))
        servers.lost()
        #expect(servers.current == listed[0])
    }

    @Test func aChainHasALimitAndALoopReachesIt() {
        var servers = ServerList(listed)
        for hop in 0..<ServerList.longestChain {
            let isFollowed = servers.redirect(to: [Self.server(hop % 2 == 0 ? "x" : "y")])
            #expect(isFollowed)
        }
        let isFollowed = servers.redirect(to: [Self.server("x")])
        #expect(!isFollowed)
        servers.advance()
        #expect(servers.current == listed[1])
        let isFollowedFromTheNext = servers.redirect(to: [Self.server("x")])
        #expect(isFollowedFromTheNext)
        let leadsNowhere = servers.redirect(to: [])
        #expect(!leadsNowhere)
    }

    @Test func serversThatWereLearnedComeBehindTheList() {
        var servers = ServerList(listed)
        servers.learn(["b", "x", "y", "x"].map(Self.server))
        #expect(servers.left == 5)
        var tried: [Endpoint] = []
        for _ in 0..<5 {
            tried.append(servers.current)
            servers.advance()
        }
        #expect(tried == ["a", "b", "c", "x", "y"].map(Self.server))
        #expect(!servers.hasNext)
    }

    /// The list is as old as the configuration: all its servers may have been replaced.
    @Test func aLearnedServerThatHeldIsTriedFirstUntilItIsForgotten() {
        var servers = ServerList([Self.server("a")])
        servers.learn([Self.server("x"), Self.server("y")])
        servers.advance()
        servers.connected()
        servers.lost()
        servers.learn([Self.server("y"), Self.server("x")])
        #expect(servers.current == Self.server("x"))
        servers.learn([Self.server("z")])
        #expect(servers.current == Self.server("a"))
        servers.learn((0..<100).map { Self.server("z\($0)") })
        #expect(servers.left == 1 + ServerList.mostLearned)
    }
}
