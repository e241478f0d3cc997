import BroadcasterWire
import Testing

@testable import BroadcasterPostgres

struct PayloadCodecTests {
    private func roundTrip(_ payload: [UInt8]) -> (count: Int, result: [UInt8]?) {
        let texts = PayloadCodec.encode(.bytes(payload), id: 7)
        var assembler = PartAssembler(limit: 1 << 24)
        for text in texts {
            #expect(text.count <= 7999)
            #expect(String(validating: text, as: UTF8.self) != nil)
            guard text.starts(with: PayloadCodec.mark) else { return (texts.count, text) }
            switch PayloadCodec.decode(text) {
            case .whole(let bytes): return (texts.count, bytes)
            case .unknown: return (texts.count, nil)
            case .part(let id, let number, let count, let piece):
                if case .message(let bytes) = assembler.add(
                    process: 1, channel: [1], id: id, number: number, count: count, piece: piece)
                {
                    return (texts.count, bytes)
                }
            }
        }
        return (texts.count, nil)
    }

    private static let payloads: [(payload: [UInt8], count: Int)] = [
        ([], 1), (Array("x".utf8), 1), ([0], 1), ([0xff, 0xfe], 1),
        (Array("broadcaster:1:p:1:1/2:x".utf8), 1), ([UInt8](repeating: 120, count: 7999), 1),
        ([UInt8](repeating: 120, count: 8000), 2), ([UInt8](repeating: 0, count: 8000), 2),
        (Array(String(repeating: "é", count: 10_000).utf8), 3),
        (Array(("broadcaster:1:" + String(repeating: "x", count: 7990)).utf8), 2),
    ]

    @Test(arguments: payloads)
    func everythingComesBack(payload: [UInt8], count: Int) {
        let (parts, result) = roundTrip(payload)
        #expect(parts == count)
        #expect(result == payload)
    }

    @Test func aSmallTextIsOnTheWireAsItIs() {
        #expect(PayloadCodec.encode(.text("hello"), id: 1) == [Array("hello".utf8)])
    }

    @Test(arguments: [
        "broadcaster:1:", "broadcaster:1:x:y", "broadcaster:1:b:!!", "broadcaster:1:p:",
        "broadcaster:1:p:1:0/2:x",
        "broadcaster:1:p:1:3/2:x", "broadcaster:1:p:x:1/2:x", "broadcaster:1:p:1:1:x",
        "broadcaster:1:p:1:99999999999999999999/2:x",
    ])
    func whatOnlyLooksMarkedIsNoPart(text: String) {
        #expect(PayloadCodec.decode(Array(text.utf8)) == .unknown)
    }

    private func add(
        _ assembler: inout PartAssembler, _ number: Int, of count: Int, id: UInt64 = 1
    ) -> PartAssembler.Outcome {
        assembler.add(
            process: 1, channel: [1], id: id, number: number, count: count,
            piece: Array("x".utf8)[...])
    }

    @Test func missingPartsAreALossOnce() {
        var assembler = PartAssembler(limit: 1000)
        #expect(add(&assembler, 2, of: 4, id: 9) == .lost, "its beginning never came")
        #expect(add(&assembler, 3, of: 4, id: 9) == .incomplete, "told already")
        #expect(add(&assembler, 4, of: 4, id: 9) == .incomplete, "told already")
        #expect(add(&assembler, 1, of: 3) == .incomplete)
        #expect(add(&assembler, 3, of: 3) == .lost)
        #expect(add(&assembler, 2, of: 3) == .incomplete, "told already")
        #expect(add(&assembler, 1, of: 2, id: 2) == .incomplete)
        let first = assembler.interrupted(by: 2, [1])
        let second = assembler.interrupted(by: 2, [1])
        #expect(first == [1])
        #expect(second == nil)
        #expect(add(&assembler, 1, of: 2, id: 3) == .incomplete)
        let wasOpen = assembler.abandon()
        #expect(wasOpen)
    }

    @Test func aMessageWithoutEndIsBounded() {
        var assembler = PartAssembler(limit: 1000)
        var outcome = PartAssembler.Outcome.incomplete
        var number = 1
        let piece = [UInt8](repeating: 120, count: 500)[...]
        while outcome == .incomplete, number < 100 {
            outcome = assembler.add(
                process: 1, channel: [1], id: 1, number: number, count: 1_000_000, piece: piece)
            number += 1
        }
        #expect(outcome == .lost)
        #expect(number < 10)
    }
}
