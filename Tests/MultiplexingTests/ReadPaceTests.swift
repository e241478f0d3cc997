import BroadcasterMultiplexing
import Testing

struct ReadPaceTests {
    /// A delay gathers what is small; a message of 4 KiB does not pay for it, whatever number a read brings.
    @Test(arguments: [
        (bytes: 16_383, messages: 200, gathers: false),
        (bytes: 16_384, messages: 200, gathers: true),
        (bytes: 262_144, messages: 2500, gathers: true),
        (bytes: 16_384, messages: 15, gathers: true),
        (bytes: 262_144, messages: 240, gathers: true),
        (bytes: 16_384, messages: 4, gathers: false),
        (bytes: 262_144, messages: 63, gathers: false),
        (bytes: 65_536, messages: 1, gathers: false), (bytes: 262_144, messages: 0, gathers: false),
    ])
    func onlySmallMessagesAreGathered(bytes: Int, messages: Int, gathers: Bool) {
        #expect(ReadPace.gathers(bytes: bytes, messages: messages) == gathers)
    }
}
