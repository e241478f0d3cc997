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

    @Test(arguments: [
        (Duration.zero, "0 s"), (.microseconds(7), "7 µs"), (.milliseconds(50), "50 ms"),
        (.milliseconds(999), "999 ms"), (.seconds(1), "1 s"), (.milliseconds(1250), "1.25 s"),
        (.milliseconds(2030), "2.03 s"), (.milliseconds(2300), "2.3 s"),
        (.milliseconds(12_340), "12.3 s"), (.seconds(59), "59 s"), (.seconds(60), "1 min"),
        (.seconds(125), "2 min 5 s"), (.seconds(12_000), "3 h 20 min"), (.seconds(7200), "2 h"),
        (.milliseconds(-50), "-50 ms"), (.seconds(Int64.max), "2562047788015215 h 30 min"),
    ])
    func isWrittenAsAPersonWould(time: Duration, expected: String) {
        #expect(time.text == expected)
    }

    @Test(arguments: ["", "s", "ms", "1 s", "-1s", "+1s", "1e3", "0x1", "one", "1d", "999999999h"])
    func isRefusedOtherwise(text: String) {
        #expect(URLOptions.duration(text) == nil)
    }
}
