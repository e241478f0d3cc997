import BroadcasterWire
import Testing

/// Channel names that are bytes, and those that look alike as text.
struct TopicNameTests {
    private static let names: [[UInt8]] = [
        Array("k".utf8), [0x6b, 0xff], [0x6b, 0xfe], Array("k\u{FFFD}".utf8), [0xff], [0xc3],
        Array("é".utf8), Array("e\u{301}".utf8), [0xed, 0xa0, 0x80], Array("k\0".utf8),
    ]

    @Test(arguments: names)
    func bytesComeBack(bytes: [UInt8]) {
        let name = TopicName.channel(bytes: bytes)
        let isNamed = name.isNamed(bytes.span)
        #expect(name.bytes == bytes && isNamed)
        #expect(Origin(name).channelBytes == bytes)
        let isText = String(validating: bytes, as: UTF8.self) != nil
        if case .channel = name { #expect(isText) } else { #expect(!isText) }
        #expect((Origin(name).binaryName == nil) == isText)
    }

    @Test func eachNameIsItself() {
        let all = Self.names.map { TopicName.channel(bytes: $0) }
        #expect(Set(all).count == all.count)
        for (place, one) in all.enumerated() {
            for (other, name) in all.enumerated() { #expect((one == name) == (place == other)) }
            #expect(one != .pattern(one.text))
        }
        #expect(TopicName.binaryChannel(Array("k".utf8)) == .channel("k"))
        #expect(Set([TopicName.binaryChannel(Array("k".utf8)), .channel("k")]).count == 1)
    }

    @Test func eachIsFoundByItsBytesAlone() {
        var index = TopicIndex()
        for (id, bytes) in Self.names.enumerated() {
            index.insert(Topic(id: id, name: .channel(bytes: bytes)))
        }
        #expect(index.count == Self.names.count)
        for (id, bytes) in Self.names.enumerated() {
            #expect(topic(bytes, index) == id)
        }
        for bytes in Self.names.dropFirst(2) { index.remove(.channel(bytes: bytes)) }
        #expect(index.count == 2)
        #expect(topic(Self.names[1], index) == 1)
        #expect(topic(Self.names[3], index) == nil)
    }

    private func topic(_ bytes: [UInt8], _ index: TopicIndex) -> Int? {
        index.find(bytes.span, bytes.indices)?.topic
    }

    @Test func aTranscriptShowsTheBytes() {
        let topics = [Topic(id: 0, name: .channel(bytes: [0x6b, 0x20, 0xff]))]
        #expect(TranscriptLine.command(.subscribe(topics)) == "> subscribe k\\x20\\xff")
    }
}
