import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

/// Slots, tables of slots and redirections, as values.
struct ClusterPartsTests {
    /// As `CLUSTER KEYSLOT` of Redis 7.0.15 has them.
    @Test(arguments: [
        ("123456789", 12739), ("foo", 12182), ("bar", 5061), ("chat", 14028), ("hello", 866),
        ("a", 15495), ("b", 3300), ("events", 9102), ("ché", 5888), ("", 0),
        ("{user1000}.following", 3443), ("foo{}{bar}", 8363), ("foo{{bar}}zap", 4015),
        ("foo{bar}{zap}", 5061), ("{bar}", 5061), ("x{bar}y", 5061),
    ])
    func aNameHasTheSlotThatTheServerSays(name: String, slot: Int) {
        #expect(HashSlot.of(Array(name.utf8)) == slot)
    }

    private static let asked = Endpoint.tcp(host: "seed", port: 7000)

    private static func node(_ host: RESPValue, _ port: Int64, _ metadata: [String] = [])
        -> RESPValue
    {
        .array([host, .integer(port), text("id"), .array(metadata.map { text($0) })])
    }

    private static func text(_ text: String) -> RESPValue { .bulkString(Array(text.utf8)) }

    private static func range(_ from: Int64, _ to: Int64, _ nodes: RESPValue...) -> RESPValue {
        .array([.integer(from), .integer(to)] + nodes)
    }

    @Test func aTableTellsTheMasterOfEachSlot() throws {
        let table = try SlotTable(
            .array([
                Self.range(
                    0, 99, Self.node(Self.text("10.0.0.1"), 1), Self.node(Self.text("r"), 9)),
                Self.range(100, 16383, Self.node(Self.text("10.0.0.2"), 2)),
            ]), from: Self.asked)
        #expect(table.owner(of: 99) == .tcp(host: "10.0.0.1", port: 1))
        #expect(table.owner(of: 100) == .tcp(host: "10.0.0.2", port: 2))
        #expect(table.servedCount == 16384)
        #expect(
            table.summary
                == "16384 of 16384 slots served; master 10.0.0.1:1 slots 0-99;"
                + " master 10.0.0.2:2 slots 100-16383; replica r:9")
    }

    /// Each of the forms that `cluster-preferred-endpoint-type` gives, and what a hostile server may.
    @Test func oneOddNodeDoesNotSpoilTheTable() throws {
        let rows: [(RESPValue, Endpoint?)] = [
            (Self.node(.null, 1), .tcp(host: "seed", port: 1)),
            (Self.node(Self.text(""), 1), .tcp(host: "seed", port: 1)),
            (Self.node(Self.text("?"), 1, ["ip", "10.0.0.9"]), .tcp(host: "10.0.0.9", port: 1)),
            (Self.node(Self.text("?"), 1), nil),
            (Self.node(Self.text("node.test"), 1), .tcp(host: "node.test", port: 1)),
            (Self.node(Self.text("::1"), 1), .tcp(host: "::1", port: 1)),
            (Self.node(Self.text("a b"), 1), nil), (Self.node(Self.text("a\r\nb"), 1), nil),
            (Self.node(Self.text(String(repeating: "a", count: 300)), 1), nil),
            (Self.node(Self.text("h"), 0), nil), (Self.node(Self.text("h"), -1), nil),
            (Self.node(Self.text("h"), 65536), nil), (Self.node(Self.text("h"), .max), nil),
            (.array([]), nil), (.null, nil), (.integer(1), nil),
            (.array([Self.text("h"), Self.text("1")]), nil),
        ]
        for (node, expected) in rows {
            let table = try SlotTable(
                .array([
                    Self.range(0, 0, node), Self.range(1, 1, Self.node(Self.text("ok"), 5)),
                ]), from: Self.asked)
            #expect(table.owner(of: 0) == expected, "\(node)")
            #expect(table.owner(of: 1) == .tcp(host: "ok", port: 5))
        }
    }

    @Test func rangesThatAreNoneAreLeftOut() throws {
        let good = Self.node(Self.text("h"), 1)
        let ranges: [(Int64, Int64)] = [
            (-1, 1), (2, 1), (0, 16384), (.min, .max), (16384, 16384),
        ]
        for (from, to) in ranges {
            let table = try SlotTable(.array([Self.range(from, to, good)]), from: Self.asked)
            #expect(table.servedCount == 0)
        }
        for vector in respVectors {
            var decoder = RESPDecoder()
            var buffer = ReceiveBuffer(Array(vector.bytes.utf8))
            guard let value = try? decoder.next(&buffer) else { continue }
            _ = try? SlotTable(value, from: Self.asked)
            _ = try? SlotTable(.array([value]), from: Self.asked)
            _ = try? SlotTable(.array([.array([value, value, value])]), from: Self.asked)
        }
    }

    @Test(arguments: [
        (
            "MOVED 14028 127.0.0.1:17102",
            ClusterRefusal.moved(
                slot: 14028, to: .tcp(host: "127.0.0.1", port: 17102))
        ),
        ("MOVED 1 :5", .moved(slot: 1, to: .tcp(host: "seed", port: 5))),
        ("MOVED 1 ::1:5", .moved(slot: 1, to: .tcp(host: "::1", port: 5))),
        ("MOVED 1 n.test:5", .moved(slot: 1, to: .tcp(host: "n.test", port: 5))),
        ("MOVED 1 ?:5", .down), ("MOVED 16384 h:5", .down), ("MOVED -1 h:5", .down),
        ("MOVED 1", .down), ("MOVED", .down), ("MOVED 1 h", .down), ("MOVED 1 h:0", .down),
        ("MOVED 99999999999999999999 h:1", .down),
        ("ASK 1 h:5", .ask(to: .tcp(host: "h", port: 5))), ("ASK 1", .later),
        ("TRYAGAIN later", .later), ("CLUSTERDOWN Hash slot not served", .down),
        ("CROSSSLOT Keys in request", .other), ("", .other), ("NOPERM no", .other),
    ])
    func anErrorSaysWhereToGo(text: String, meaning: ClusterRefusal) {
        #expect(ClusterRefusal(Array(text.utf8), from: Self.asked) == meaning)
    }

    @Test(arguments: [
        ("redis-cluster://h", "h:6379"), ("redis-cluster://h:1,i", "h:1 i:6379"),
        ("rediss-cluster://u:p@h?sharded=true", "h:6379 sharded"),
        ("redis-cluster://h/0?sharded=no", "h:6379"),
        ("redis-cluster://h/1", "error: one database"),
        ("redis-cluster://h?database=1", "error: one database"),
        ("redis-cluster://h?sharded=maybe", "error: true or false"),
        ("redis-cluster://h?sharded=true&protocol=2", "error: needs protocol=3"),
        ("redis-cluster://", "error: a host is missing"),
    ])
    func aURLMeansWhatTheTableSays(text: String, meaning: String) throws {
        do {
            let url = try ClusterURL(try ServerURL(text))
            let seeds = url.seeds.map(\.description).joined(separator: " ")
            #expect(seeds + (url.isSharded ? " sharded" : "") == meaning)
        } catch {
            let part = meaning.dropFirst("error: ".count)
            #expect(meaning.hasPrefix("error: ") && "\(error)".contains(part), "\(error)")
        }
    }
}
