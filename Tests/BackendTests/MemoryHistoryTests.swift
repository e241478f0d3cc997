import BroadcasterMemory
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// The history that memory keeps, on a clock that the test sets.
struct MemoryHistoryTests {
    private let topic = Topic(id: 0, name: .channel("c"))

    @Test func theTimeIsThatOfThePublishing() throws {
        let backend = MemoryBackend(
            maximumMessageSize: 100, history: .init(messages: 10), newEpoch: { 7 })
        var session = backend.makeSession()
        var output = SessionOutput()
        let now = Instant.now
        session.opened(.main, to: .test, at: now, into: &output)
        for minutes in [20, 5, 1] {
            session.perform(
                .publish([
                    Publication(ticket: 0, channel: "c", payload: .text("\(minutes)"))
                ]), at: now - .seconds(60 * minutes), into: &output)
        }
        _ = output.takeEvents()
        for (seconds, first) in [(600, 2), (90, 3), (10, 4), (3600, 1)] as [(Int, UInt64)] {
            session.perform(
                .read([
                    HistoryRequest(
                        ticket: 1, channel: topic, kind: .start(.since(.seconds(seconds))))
                ]), at: now, into: &output)
            guard case .page(let page)? = output.takeEvents().first else {
                Issue.record("no page")
                continue
            }
            let place = try #require(page.next.position.triple)
            #expect(place.major + (page.next.isInclusive ? 0 : 1) == first, "\(seconds)")
        }
    }
}
