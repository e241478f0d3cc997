import BroadcasterRedis
import BroadcasterWire
import Testing

struct RedisRefusalTests {
    private func backend(_ rest: String = "") throws -> RedisBackend {
        let options = CommonOptions(
            connectTimeout: .seconds(1), publishTimeout: .seconds(1), pingInterval: .seconds(1),
            maximumMessageSize: 10)
        return try RedisBackend(try ServerURL("redis://h" + rest), options: options)
    }

    @Test func namesAndMessagesAreCheckedBeforeAnyIO() throws {
        let backend = try backend()
        #expect(backend.refusal(of: .channel("")) != nil)
        #expect(backend.refusal(of: .channel("a\r\n\0é")) == nil)
        #expect(backend.refusal(of: .pattern("")) != nil)
        let long = String(repeating: "a", count: 1025)
        #expect(backend.refusal(of: .pattern(long))?.contains("1024") == true)
        #expect(backend.refusal(ofPublishing: .text("x"), to: "") != nil)
        #expect(backend.refusal(ofPublishing: .text("0123456789"), to: "c") == nil)
        let refusal = backend.refusal(ofPublishing: .bytes(Array(repeating: 0, count: 11)), to: "c")
        #expect(refusal?.contains("max_message_size") == true)
    }
}
