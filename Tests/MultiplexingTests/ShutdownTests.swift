import BroadcasterWire
import Testing

@testable import BroadcasterMultiplexing

struct ShutdownTests {
    private let deadline = Instant.now + .seconds(1)

    @Test func saysGoodbyeOnceWhenNothingIsUnderWay() {
        var shutdown = Shutdown.notBegun
        let before = shutdown.advance(isIdle: true)
        #expect(!before, "not before it has begun")
        shutdown.begin(deadline: deadline)
        #expect(shutdown.deadline == deadline && !shutdown.hasSaidGoodbye)
        let busy = shutdown.advance(isIdle: false)
        #expect(!busy)
        let idle = shutdown.advance(isIdle: true)
        #expect(idle && shutdown.hasSaidGoodbye)
        let again = shutdown.advance(isIdle: true)
        #expect(!again)
        #expect(shutdown.deadline == deadline)
    }

    @Test func aSecondCallChangesNothing() {
        var shutdown = Shutdown.notBegun
        shutdown.begin(deadline: deadline)
        shutdown.begin(deadline: deadline + .seconds(9))
        #expect(shutdown.deadline == deadline)
        shutdown = .over
        shutdown.begin(deadline: deadline)
        #expect(shutdown == .over && shutdown.hasSaidGoodbye && shutdown.deadline == nil)
    }
}
