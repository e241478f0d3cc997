import BroadcasterWire
import Testing

struct DurationTests {
    @Test(arguments: [
        ("500ms", Duration.milliseconds(500)), ("1s", .seconds(1)), ("2m", .seconds(120)),
        ("1h", .seconds(3600)), ("3", .seconds(3)), ("0.5", .milliseconds(500)),
        ("1.5s", .milliseconds(1500)),
    ])
    func isReadWithItsUnit(text: String, expected: Duration) {
        #expect(URLOptions.duration(text) == expected)
    }

    @Test(arguments: ["", "s", "ms", "1 s", "-1s", "+1s", "1e3", "0x1", "one", "1d", "999999999h"])
    func isRefusedOtherwise(text: String) {
        #expect(URLOptions.duration(text) == nil)
    }
}
