import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire
import Testing

struct RESPVector: Sendable, CustomTestStringConvertible {
    let bytes: String
    let value: RESPValue

    init(_ bytes: String, _ value: RESPValue) {
        self.bytes = bytes
        self.value = value
    }

    var testDescription: String { TranscriptLine.escape(bytes.utf8) }
}

private func bulk(_ text: String) -> RESPValue { .bulkString(Array(text.utf8)) }
private func simple(_ text: String) -> RESPValue { .simpleString(Array(text.utf8)) }

/// Facts from the RESP3 specification, hiredis' test.c and redis-protocol.rs.
let respVectors: [RESPVector] = [
    .init("+OK\r\n", simple("OK")), .init("+\r\n", simple("")),
    .init("-ERR no\r\n", .error(Array("ERR no".utf8))),
    .init("$11\r\nhello world\r\n", bulk("hello world")), .init("$0\r\n\r\n", bulk("")),
    .init("$4\r\n\r\n\r\n\r\n", bulk("\r\n\r\n")),
    .init("$-1\r\n", .null), .init("*-1\r\n", .null), .init("_\r\n", .null),
    .init("*0\r\n", .array([])), .init("~0\r\n", .set([])), .init("%0\r\n", .map([])),
    .init(">0\r\n", .push([])),
    .init(":0\r\n", .integer(0)), .init(":-1\r\n", .integer(-1)), .init(":+5\r\n", .integer(5)),
    .init(":9223372036854775807\r\n", .integer(.max)),
    .init(":-9223372036854775808\r\n", .integer(.min)),
    .init(",1.23\r\n", .double(1.23)), .init(",10\r\n", .double(10)),
    .init(",inf\r\n", .double(.infinity)), .init(",-inf\r\n", .double(-.infinity)),
    .init(",-0\r\n", .double(-0.0)), .init(",5e-324\r\n", .double(.leastNonzeroMagnitude)),
    .init(",1.7976931348623157e308\r\n", .double(1.7976931348623157e308)),
    .init("#t\r\n", .boolean(true)), .init("#f\r\n", .boolean(false)),
    .init(
        "(3492890328409238509324850943850943825024385\r\n",
        .bigNumber(Array("3492890328409238509324850943850943825024385".utf8))),
    .init("(-1\r\n", .bigNumber(Array("-1".utf8))),
    .init("!21\r\nSYNTAX invalid syntax\r\n", .blobError(Array("SYNTAX invalid syntax".utf8))),
    .init(
        "=15\r\ntxt:Some string\r\n",
        .verbatimString(format: Array("txt".utf8), Array("Some string".utf8))),
    .init("=4\r\nmkd:\r\n", .verbatimString(format: Array("mkd".utf8), [])),
    .init(
        "%2\r\n+first\r\n:1\r\n+second\r\n:2\r\n",
        .map([simple("first"), .integer(1), simple("second"), .integer(2)])),
    .init(
        "~5\r\n+orange\r\n+apple\r\n#t\r\n:100\r\n:999\r\n",
        .set([simple("orange"), simple("apple"), .boolean(true), .integer(100), .integer(999)])),
    .init("*2\r\n*1\r\n:1\r\n*0\r\n", .array([.array([.integer(1)]), .array([])])),
    .init(
        "|1\r\n+key-popularity\r\n%2\r\n$1\r\na\r\n,0.1923\r\n$1\r\nb\r\n,0.0012\r\n"
            + "*2\r\n:2039123\r\n:9543892\r\n",
        .attributed(
            [
                simple("key-popularity"),
                .map([bulk("a"), .double(0.1923), bulk("b"), .double(0.0012)]),
            ],
            .array([.integer(2_039_123), .integer(9_543_892)]))),
    .init(
        "*3\r\n:1\r\n:2\r\n|1\r\n+ttl\r\n:3600\r\n:3\r\n",
        .array([
            .integer(1), .integer(2), .attributed([simple("ttl"), .integer(3600)], .integer(3)),
        ])),
    .init("|0\r\n|0\r\n:1\r\n", .attributed([], .attributed([], .integer(1)))),
    .init(
        ">3\r\n+message\r\n+somechannel\r\n+this is the message\r\n",
        .push([simple("message"), simple("somechannel"), simple("this is the message")])),
    .init("$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;1\r\nd\r\n;0\r\n", bulk("Hello word")),
    .init("$?\r\n;0\r\n", bulk("")),
    .init("*?\r\n:1\r\n:2\r\n:3\r\n.\r\n", .array([.integer(1), .integer(2), .integer(3)])),
    .init("*?\r\n.\r\n", .array([])),
    .init("~?\r\n+a\r\n.\r\n", .set([simple("a")])),
    .init(
        "%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n",
        .map([simple("a"), .integer(1), simple("b"), .integer(2)])),
    .init("*1\r\n$?\r\n;1\r\nx\r\n;0\r\n", .array([bulk("x")])),
    .init("*?\r\n*?\r\n.\r\n.\r\n", .array([.array([])])),
]

/// Bytes that no peer may send, with a part of the error's text.
let respFaults: [(bytes: String, says: String)] = [
    ("@foo\r\n", "a type byte"), ("\r\n", "a type byte"), ("\0", "found 0x00 at offset 0"),
    ("hello\r\n", "a type byte"),
    (":9223372036854775808\r\n", "64 bits"), (":-9223372036854775809\r\n", "64 bits"),
    (":\r\n", "64 bits"), (":1a\r\n", "64 bits"), (":-\r\n", "64 bits"), (": 1\r\n", "64 bits"),
    ("*-2\r\n", "a count"), ("$-2\r\n", "a length"), ("$\r\n", "a length"), ("*\r\n", "a count"),
    ("*9223372036854775807\r\n", "a count"), ("$9223372036854775807\r\n", "a length"),
    ("*4611686018427387904\r\n", "a count"), ("%4611686018427387904\r\n", "a count"),
    ("|4611686018427387904\r\n", "a count"), ("~99999999999999999999\r\n", "a count"),
    ("$2147483648\r\n", "a length"), ("%-1\r\n", "a count"), (">-1\r\n", "a count"),
    ("~-1\r\n", "a count"), ("!-1\r\n", "a length"), ("=-1\r\n", "a length"),
    ("_nil\r\n", "CRLF after _"), ("#foobar\r\n", "t or f"), ("#\r\n", "t or f"),
    (",1.2.3\r\n", "floating"), (",\r\n", "floating"), (",1e\r\n", "floating"),
    (",3.14x\r\n", "floating"), (",3.14159\0x\r\n", "floating"), (",0x1p3\r\n", "floating"),
    (",infinity\r\n", "floating"), ("(\r\n", "digits"), ("(-\r\n", "digits"),
    ("(1.5\r\n", "digits"), ("$5\r\nhelloX\n", "CRLF after 5 bytes, found 'X' at offset 9"),
    ("$5\r\nhello\rX", "CRLF after 5 bytes, found 'X' at offset 10"),
    ("+OK\n", "CR before LF"), ("+O\rK\r\n", "LF after CR"), ("=3\r\ntxt\r\n", "format"),
    ("=4\r\ntxt-\r\n", "format"), (".\r\n", "a streamed aggregate"), (";1\r\nx\r\n", "streamed"),
    ("$?\r\n:1\r\n", "a piece of a streamed string"), ("$?\r\n.\r\n", "the end of a streamed"),
    ("$?\r\n$1\r\nx\r\n", "a piece"), ("%?\r\n+a\r\n.\r\n", "a value for the last key"),
    ("*1\r\n.\r\n", "a streamed aggregate"), (".x\r\n", "a streamed aggregate"),
]

struct RESPDecoderTests {
    private func decode(
        _ bytes: [UInt8], _ feed: Feed, limits: RESPDecoder.Limits = .init()
    ) throws -> (values: [RESPValue], left: Int) {
        var decoder = RESPDecoder(limits: limits)
        var buffer = ReceiveBuffer()
        var values: [RESPValue] = []
        for piece in feed.pieces(of: bytes) {
            buffer.append(piece)
            while let value = try decoder.next(&buffer) { values.append(value) }
        }
        return (values, buffer.count)
    }

    @Test(arguments: respVectors, Feed.allCases)
    func readsEveryValue(vector: RESPVector, feed: Feed) throws {
        let result = try decode(Array(vector.bytes.utf8), feed)
        #expect(result.values == [vector.value])
        #expect(result.left == 0)
    }

    @Test(arguments: respVectors)
    func leavesWhatFollows(vector: RESPVector) throws {
        let result = try decode(Array((vector.bytes + "$5\r\nrest").utf8), .whole)
        #expect(result.values == [vector.value])
        #expect(result.left == 4, "the header of the next value is read, its body is not")
    }

    @Test(arguments: respVectors)
    func waitsForTheLastByte(vector: RESPVector) throws {
        let bytes = Array(vector.bytes.utf8)
        #expect(try decode(Array(bytes.dropLast()), .byteByByte).values.isEmpty)
    }

    @Test func notANumberIsANumber() throws {
        let result = try decode(Array(",nan\r\n".utf8), .whole)
        guard case .double(let number) = result.values.first else {
            Issue.record("not a double: \(result.values)")
            return
        }
        #expect(number.isNaN)
    }

    @Test(arguments: respFaults, Feed.allCases)
    func refusesFaultsInWords(fault: (bytes: String, says: String), feed: Feed) {
        let error = #expect(throws: ProtocolError.self) {
            _ = try decode(Array(fault.bytes.utf8), feed)
        }
        #expect(error?.description.contains(fault.says) == true, "\(String(describing: error))")
    }

    @Test func nestingIsBoundedAndCostsNoStack() {
        let deep = String(repeating: "*1\r\n", count: 100_000)
        let error = #expect(throws: ProtocolError.self) { try decode(Array(deep.utf8), .whole) }
        #expect(error?.description.contains("64 levels") == true)
        let chained = String(repeating: "|0\r\n", count: 100_000)
        #expect(throws: ProtocolError.self) { try decode(Array(chained.utf8), .whole) }
    }

    @Test func sixtyFourLevelsAreFine() throws {
        let deep = String(repeating: "*1\r\n", count: 64) + ":1\r\n"
        #expect(try decode(Array(deep.utf8), .whole).values.count == 1)
    }

    @Test func theNumberOfElementsIsBoundedOverAllLevels() {
        let wide =
            "*2\r\n"
            + String(repeating: "*40000\r\n" + String(repeating: "_\r\n", count: 40_000), count: 2)
        let error = #expect(throws: ProtocolError.self) { try decode(Array(wide.utf8), .whole) }
        #expect(error?.description.contains("65536 elements") == true)
    }

    @Test func endlessStreamsAreBounded() {
        let stream = "*?\r\n" + String(repeating: ":1\r\n", count: 70_000)
        #expect(throws: ProtocolError.self) { try decode(Array(stream.utf8), .whole) }
        let pieces =
            "$?\r\n"
            + String(repeating: ";600\r\n" + String(repeating: "x", count: 600) + "\r\n", count: 3)
        #expect(throws: ProtocolError.self) {
            try decode(Array(pieces.utf8), .whole, limits: .init(stringLength: 1000))
        }
    }

    @Test func aLineWithoutEndIsBounded() {
        let line = "+" + String(repeating: "x", count: 70_000)
        let error = #expect(throws: ProtocolError.self) { try decode(Array(line.utf8), .whole) }
        #expect(error?.description.contains("CRLF within 65536 bytes") == true)
    }

    @Test func aLineWhoseEndHasComeIsBoundedToo() {
        let line = "+" + String(repeating: "x", count: 70_000) + "\r\n"
        let error = #expect(throws: ProtocolError.self) { try decode(Array(line.utf8), .whole) }
        #expect(error?.description.contains("CRLF within 65536 bytes") == true)
    }

    @Test(arguments: ["+", "-", "("])
    func linesTogetherAreBounded(type: String) {
        let line = type + String(repeating: "7", count: 60_000) + "\r\n"
        let error = #expect(throws: ProtocolError.self) {
            try decode(
                Array(("*20\r\n" + String(repeating: line, count: 20)).utf8), .whole,
                limits: .init(stringLength: 1000))
        }
        #expect(error?.description.contains("bytes in a value") == true)
    }

    @Test func stringsBeyondTheLimitAreRefusedByTheirHeader() throws {
        let limits = RESPDecoder.Limits(stringLength: 10)
        #expect(try decode(Array("$10\r\n0123456789\r\n".utf8), .whole, limits: limits).left == 0)
        #expect(throws: ProtocolError.self) {
            try decode(Array("$11\r\n".utf8), .whole, limits: limits)
        }
    }

    @Test(arguments: [("*", 65_536), ("~", 65_536), (">", 65_536), ("%", 32_768), ("|", 32_768)])
    func countsBeyondTheLimitAreRefusedByTheirHeader(type: String, most: Int) throws {
        #expect(try decode(Array("\(type)\(most)\r\n".utf8), .whole).values.isEmpty)
        let error = #expect(throws: ProtocolError.self) {
            try decode(Array("\(type)\(most + 1)\r\n".utf8), .whole)
        }
        #expect(error?.description.contains("a count from 0 to \(most)") == true)
    }

    @Test func stringsTogetherAreBoundedToo() {
        let part = "$1000000\r\n" + String(repeating: "x", count: 1_000_000) + "\r\n"
        let error = #expect(throws: ProtocolError.self) {
            try decode(
                Array(("*3\r\n" + part + part + part).utf8), .whole,
                limits: .init(stringLength: 1_000_000))
        }
        #expect(error?.description.contains("bytes in a value") == true)
    }

    /// hiredis' test of split headers.
    @Test func valuesSplitInsideTheirHeadersAreRead() throws {
        var decoder = RESPDecoder()
        var buffer = ReceiveBuffer(Array("*3\r\n$3\r\nSET\r\n$5\r\nhello\r\n$".utf8))
        #expect(try decoder.next(&buffer) == nil)
        buffer.append(Array("3\r\nval\r\n".utf8))
        #expect(
            try decoder.next(&buffer)
                == .array([bulk("SET"), bulk("hello"), bulk("val")]))
    }

    @Test(arguments: respVectors)
    func encodedValuesDecodeToThemselves(vector: RESPVector) throws {
        var bytes: [UInt8] = []
        RESPEncoder.value(vector.value, to: &bytes)
        #expect(try decode(bytes, .byteByByte).values == [vector.value])
    }
}
