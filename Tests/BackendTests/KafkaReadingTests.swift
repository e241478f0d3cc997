import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterKafka

/// What a fetch may bring that no broker of the integration tests sends, up to the page that the core reads.
struct KafkaReadingTests {
    private typealias Answers = KafkaConversation

    private func subscribed() throws -> KafkaConversation {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe()
        _ = scene.takeEvents()
        return scene
    }

    /// The tail of an answer is a batch that is cut: nothing is said of it, and it is fetched from its beginning.
    @Test func aBatchThatIsCutIsFetchedAgain() throws {
        var scene = try subscribed()
        let second = Answers.batch("b", "c", at: 1)
        let records = Answers.batch("a", at: 0) + second.dropLast(5)
        try scene.answer(Answers.fetched(records, highWatermark: 3), to: .fetch)
        scene.read(from: [0])
        #expect(scene.takeEvents().contains { $0.hasSuffix(" a") })
        let fetch = try #require(scene.requests.last { $0.api == .fetch })
        #expect(fetch.offset == 1)
        try scene.answer(Answers.fetched(second, highWatermark: 3), to: .fetch)
        scene.read(from: [1])
        #expect(scene.takeEvents().filter { $0.hasSuffix(" b") || $0.hasSuffix(" c") }.count == 2)
    }

    /// Nothing but a piece of one batch: it is asked for again, without a gap and without a loop.
    @Test func aPieceOfABatchIsNoMessage() throws {
        var scene = try subscribed()
        let batch = Answers.batch("a", at: 0)
        try scene.answer(Answers.fetched(Array(batch.dropLast(1)), highWatermark: 1), to: .fetch)
        try scene.pass(.seconds(1))
        #expect(scene.apis == [.fetch] && scene.requests.last?.offset == 0)
        #expect(scene.takeEvents().isEmpty)
    }

    /// The core knows of a message that the watch has not heard of yet, since it was told where another reader ended.
    @Test func whatTheWatchHasNotHeardOfIsFetched() throws {
        var scene = try subscribed()
        scene.read(from: [0], to: PlaceVector([1]).position)
        #expect(scene.apis == [.fetch, .fetch] && scene.takeEvents().isEmpty)
    }

    /// A reader that began at the end when the watch had not come there: its tail is fetched, and not said to be empty.
    @Test func aPlaceThatAnotherReaderWasToldIsFetchedUpTo() throws {
        var scene = try subscribed()
        let start = HistoryRequest(
            ticket: 7, channel: Topic(id: 0, name: .channel("t")), kind: .start(.new))
        scene.perform(.read([start]))
        try scene.answer(Answers.offsets(1), to: .listOffsets)
        let fetch = try #require(scene.requests.last)
        #expect(fetch.api == .fetch)
        try scene.answer(Answers.fetched(highWatermark: 1), to: .fetch, on: fetch.lane)
        #expect(scene.takeEvents().first?.hasPrefix("! page 7") == true)
        scene.read(from: [0])
        #expect(scene.apis == [.fetch, .fetch], "\(scene.takeEvents())")
    }

    /// A batch begins before what was asked for, as a broker sends whole ones.
    @Test func messagesBeforeThePlaceArePassedOver() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe(endingAt: 2)
        let batch = Answers.batch("a", "b", "c", at: 0)
        try scene.answer(Answers.fetched(batch, highWatermark: 3), to: .fetch)
        _ = scene.takeEvents()
        scene.read(from: [2])
        let texts = scene.takeEvents().filter { $0.hasPrefix("! message") }
        #expect(texts.count == 1 && texts[0].hasSuffix(" c"))
    }

    /// What a compaction left: a batch without records, whose header says how far it went.
    @Test func aBatchThatWasEmptiedIsPassedOver() throws {
        var scene = try subscribed()
        var empty = Answers.batch("a", at: 0)
        empty.removeLast(empty.count - 61)
        empty.overwriteInt32(49, at: 8)
        empty.overwriteInt32(4, at: 23)
        empty.overwriteInt32(0, at: 57)
        empty.overwriteInt32(Int32(bitPattern: CRC32C.checksum(empty[21...])), at: 17)
        try scene.answer(Answers.fetched(empty, highWatermark: 5), to: .fetch)
        scene.read(from: [0])
        #expect(scene.requests.last { $0.api == .fetch }?.offset == 5, "\(scene.apis)")
        #expect(!scene.takeEvents().contains { $0.contains("undeliverable") })
    }

    /// Fetched once more, for it may have been the network; then a loss with its number, and what follows is read.
    @Test func aWrongChecksumIsFetchedOnceMoreAndThenALoss() throws {
        var scene = try subscribed()
        var records = Answers.batch("a", "b", at: 0) + Answers.batch("c", at: 2)
        records[70] ^= 1
        try scene.answer(Answers.fetched(records, highWatermark: 3), to: .fetch)
        scene.read(from: [0])
        #expect(scene.apis == [.fetch] && scene.requests.last?.offset == 0)
        #expect(scene.takeEvents() == ["! rang t"])
        try scene.answer(Answers.fetched(records, highWatermark: 3), to: .fetch)
        let events = scene.takeEvents()
        #expect(events.contains { $0.contains("2 messages from offset 0 to 1") }, "\(events)")
        #expect(events.contains { $0.hasSuffix(" c") })
    }

    /// A quota: the answer comes at once, and the broker reads nothing for that long.
    @Test func aQuotaOfFetchesIsWaitedFor() throws {
        var scene = try subscribed()
        try scene.answer(Answers.fetched(highWatermark: 0, throttle: 4000), to: .fetch)
        try scene.pass(.seconds(3))
        #expect(scene.apis.isEmpty)
        try scene.pass(.seconds(1))
        #expect(scene.apis == [.fetch])
    }

    /// Aborted transactions are named by the fetch, and passed over where only what was committed is heard.
    @Test(arguments: [
        ("", [" a", " b", " c"]), ("?isolation_level=read_committed", [" a", " c"]),
    ])
    func abortedMessagesAreHeardAsTheURLSays(query: String, expected: [String]) throws {
        var scene = try KafkaConversation("kafka://b1\(query)")
        try scene.greet()
        try scene.subscribe()
        _ = scene.takeEvents()
        let marker = bytes(
            hex:
                "000000000000000200000042ffffffff02c53e3c78003000000000000001a2115940e5000001a2115940"
                + "e500000000000000010001ffffffff000000012000000008000000000c00000000000000")
        let records =
            Answers.transaction("a", at: 0, of: 2) + Answers.transaction("b", at: 1, of: 1)
            + marker + Answers.transaction("c", at: 3, of: 1)
        try scene.answer(
            Answers.fetched(records, highWatermark: 4, aborted: [(1, 1)]), to: .fetch)
        scene.read(from: [0])
        let texts = scene.takeEvents().filter { $0.hasPrefix("! message") }
        #expect(texts.map { String($0.suffix(2)) } == expected)
        #expect(scene.requests.last { $0.api == .fetch }?.offset == 4)
    }

    // MARK: Positions of receipts

    /// One partition: the place behind each message.
    @Test func aReceiptNamesThePlaceBehindItsMessage() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        scene.publish("a", "b")
        try scene.answer(Answers.metadata(topic: "t"), to: .metadata)
        try scene.answer(Answers.producerId(), to: .initProducerId)
        try scene.answer(Answers.produced(0, offset: 41), to: .produce)
        let places = [42, 43].map { PlaceVector([$0], last: 0).position }
        #expect(
            scene.events.suffix(2)
                == places.enumerated().map { "! published \($0) ? at \($1)" })
    }

    /// Several: the others' ends are asked for before, on the same connection; who goes on there misses nothing.
    @Test func aReceiptNamesTheEndsOfTheOtherPartitions() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        scene.publish("a")
        try scene.answer(Answers.metadata(topic: "t", partitions: 2), to: .metadata)
        try scene.answer(Answers.producerId(), to: .initProducerId)
        #expect(scene.apis == [.listOffsets], "the first message waits for it")
        try scene.answer(Answers.offsets(7, partition: 1), to: .listOffsets)
        try scene.answer(Answers.produced(0, offset: 3), to: .produce)
        let place = PlaceVector([4, 7], last: 0)
        #expect(scene.events.last == "! published 0 ? at \(place.position)")
        // Not for each message.
        scene.publish("b")
        #expect(scene.apis == [.produce])
        try scene.answer(Answers.produced(0, offset: 4), to: .produce)
        try scene.pass(.seconds(1))
        scene.publish("c")
        #expect(scene.apis == [.listOffsets, .produce])
    }

    /// A broker that has had the batch does not tell where, and an end that nobody has told is not invented.
    @Test(arguments: [1, 2] as [Int32])
    func aPlaceThatIsNotKnownIsNotNamed(partitions: Int32) throws {
        var scene = try KafkaConversation()
        try scene.greet()
        scene.publish("a")
        try scene.answer(Answers.metadata(topic: "t", partitions: partitions), to: .metadata)
        try scene.answer(Answers.producerId(), to: .initProducerId)
        if partitions == 2 {
            try scene.answer(Answers.offsets(-1, error: 5, partition: 1), to: .listOffsets)
            try scene.pass(.milliseconds(499))
            if scene.apis.contains(.metadata) {
                try scene.answer(Answers.metadata(topic: "t", partitions: 2), to: .metadata)
            }
            #expect(scene.apis.isEmpty)
            try scene.pass(.milliseconds(1))
        }
        try scene.answer(Answers.produced(partitions == 1 ? 46 : 0, offset: 3), to: .produce)
        #expect(scene.events.last == "! published 0 ?")
    }
}

extension KafkaConversation.Request {
    /// That of a fetch of one partition of the topic `t`, in version 10.
    fileprivate var offset: Int64 {
        body.dropFirst(25 + 4 + 3 + 4 + 4 + 4).prefix(8).reduce(0) { $0 << 8 | Int64($1) }
    }
}

extension KafkaConversation {
    /// A message of a transaction.
    fileprivate static func transaction(
        _ text: String, at offset: Int64, of producer: Int64
    ) -> [UInt8] {
        var bytes = batch(text, at: offset)
        bytes[22] |= 0x10
        bytes.overwriteInt64(producer, at: 43)
        bytes.overwriteInt32(Int32(bitPattern: CRC32C.checksum(bytes[21...])), at: 17)
        return bytes
    }
}
