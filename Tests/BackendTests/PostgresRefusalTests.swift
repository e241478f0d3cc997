import BroadcasterPostgres
import BroadcasterWire
import Testing

struct PostgresRefusalTests {
    private func backend(_ rest: String = "") throws -> PostgresBackend {
        let options = CommonOptions(
            connectTimeout: .seconds(1), publishTimeout: .seconds(1), pingInterval: .seconds(1),
            maximumMessageSize: 10_000)
        return try PostgresBackend(
            try ServerURL("postgres://u@h/d" + rest), options: options, environment: .empty)
    }

    /// Postgres would cut a name at 63 bytes, and the subscriber would hear another channel.
    @Test func namesAndMessagesAreCheckedBeforeAnyIO() throws {
        let backend = try backend()
        let longest = String(repeating: "é", count: 31) + "x"
        #expect(backend.refusal(of: .channel(longest)) == nil)
        #expect(backend.refusal(of: .channel(longest + "x"))?.contains("63 bytes") == true)
        #expect(backend.refusal(of: .channel("")) != nil)
        #expect(backend.refusal(of: .channel("a\0b"))?.contains("NUL") == true)
        #expect(backend.refusal(of: .pattern("a*"))?.contains("patterns") == true)
        #expect(backend.refusal(ofPublishing: .text("x"), to: longest) == nil)
        #expect(backend.refusal(ofPublishing: .text("x"), to: longest + "x") != nil)
        let large = Payload.bytes(Array(repeating: 120, count: 10_000))
        #expect(backend.refusal(ofPublishing: large, to: "c") == nil)
        let tooLarge = Payload.bytes(Array(repeating: 120, count: 10_001))
        #expect(
            backend.refusal(ofPublishing: tooLarge, to: "c")?.contains("max_message_size") == true)
        let whole = try self.backend("?large_payloads=refuse")
        #expect(
            whole.refusal(ofPublishing: large, to: "c")?.contains("large_payloads=refuse") == true)
    }
}
