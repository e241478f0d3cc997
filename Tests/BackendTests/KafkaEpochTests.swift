import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterKafka

/// Elections that are not clean: the new leader lacks what the old one had, and has other messages at those offsets.
/// No broker of the integration tests does so.
struct KafkaEpochTests {
    private typealias Answers = KafkaConversation

    /// Two messages of the epoch 3 were heard, up to 9; the leader is another one now, with a higher epoch.
    private func heard(endingAt end: Int64 = 7) throws -> KafkaConversation {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe(endingAt: end, epoch: 3)
        let batch = Answers.batch("a", "b", at: end, epoch: 3)
        try scene.answer(Answers.fetched(batch, highWatermark: end + 2), to: .fetch)
        scene.read(from: [end], epoch: 3)
        try scene.changeLeader(epoch: 5)
        _ = scene.takeEvents()
        return scene
    }

    private func place(_ offset: Int64, _ epoch: Int32) -> PlaceVector {
        var place = PlaceVector([offset])
        place.setEpoch(epoch, of: 0)
        return place
    }

    @Test func positionsNameTheEpoch() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe(endingAt: 7, epoch: 3)
        #expect(scene.events.last?.contains("\(place(7, 3).position)") == true)
        let batch = Answers.batch("a", at: 7, epoch: 4)
        try scene.answer(Answers.fetched(batch, highWatermark: 8), to: .fetch)
        scene.read(from: [7], epoch: 3)
        var behind = place(8, 4)
        behind.last = 0
        #expect(scene.events.contains { $0.contains("\(behind.position)") }, "\(scene.events)")
    }

    /// The new leader has all of the old epoch: it goes on, without a gap, and asks once.
    @Test func aNewLeaderThatHasAllIsReadOn() throws {
        var scene = try heard()
        #expect(scene.apis == [.offsetForLeaderEpoch])
        let request = try #require(scene.requests.first)
        #expect(request.version == 3 && Array(request.body.suffix(8)) == [0, 0, 0, 5, 0, 0, 0, 3])
        try scene.answer(Answers.epochEnd(3, at: 9), to: .offsetForLeaderEpoch)
        #expect(scene.apis == [.fetch] && scene.events.isEmpty)
        let batch = Answers.batch("c", at: 9, epoch: 5)
        try scene.answer(Answers.fetched(batch, highWatermark: 10), to: .fetch)
        scene.read(from: [9], epoch: 3)
        #expect(scene.apis == [.fetch])
        #expect(scene.events.contains { $0.hasSuffix(" c") }, "\(scene.events)")
    }

    /// It lacks the second one: a gap, and then what it has from there on, though its log is longer than the place.
    @Test func whatANewLeaderLacksIsAReset() throws {
        var scene = try heard()
        try scene.answer(Answers.epochEnd(3, at: 8), to: .offsetForLeaderEpoch)
        #expect(scene.takeEvents() == ["! rang t"])
        scene.read(from: [9], epoch: 3)
        #expect(
            scene.takeEvents().last?.contains("reset next after \(place(8, 3).position)") == true)
        // From there on all is in order.
        if scene.apis.contains(.offsetForLeaderEpoch) {
            try scene.answer(Answers.epochEnd(3, at: 8), to: .offsetForLeaderEpoch)
        }
        let batch = Answers.batch("x", "y", at: 8, epoch: 5)
        try scene.answer(Answers.fetched(batch, highWatermark: 10), to: .fetch)
        scene.read(from: [8], epoch: 3)
        #expect(scene.takeEvents().suffix(2).map { $0.suffix(2) } == [" x", " y"])
        #expect(scene.apis == [.fetch])
    }

    /// It knows nothing of that time: a gap, and all that it keeps.
    @Test func aLeaderThatKnowsNothingOfTheEpochIsReadFromTheBeginning() throws {
        var scene = try heard()
        try scene.answer(Answers.epochEnd(-1, at: -1), to: .offsetForLeaderEpoch)
        scene.read(from: [9], epoch: 3)
        try scene.answer(Answers.offsets(2), to: .listOffsets)
        try scene.answer(Answers.offsets(20), to: .listOffsets)
        #expect(
            scene.takeEvents().last?.contains("reset next after \(PlaceVector([2]).position)")
                == true)
    }

    /// A place of an earlier session, or of a client that was away for long.
    @Test(arguments: [(9 as Int64, true), (8, false)])
    func anOldPlaceIsLookedAtFirst(end: Int64, isKept: Bool) throws {
        var scene = try KafkaConversation()
        try scene.greet()
        scene.read(from: [9], epoch: 3)
        try scene.answer(Answers.metadata(topic: "t", epoch: 5), to: .metadata)
        #expect(scene.apis == [.offsetForLeaderEpoch])
        try scene.answer(Answers.epochEnd(3, at: end), to: .offsetForLeaderEpoch)
        #expect(scene.apis == (isKept ? [.fetch] : []))
        if isKept { return }
        #expect(scene.events.last?.contains("reset next after \(place(8, 3).position)") == true)
    }

    /// The log is as long as the place says, which alone would prove nothing.
    @Test func aLogOfTheSameLengthIsLookedAtAllTheSame() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe(endingAt: 9, epoch: 5)
        scene.read(from: [9], epoch: 3, to: place(9, 5).position)
        #expect(scene.apis.contains(.offsetForLeaderEpoch))
        try scene.answer(Answers.epochEnd(3, at: 8), to: .offsetForLeaderEpoch)
        #expect(scene.events.last?.contains("reset next after \(place(8, 3).position)") == true)
    }

    /// Leaders that move while they are asked are asked anew; one that will not tell cannot be waited for.
    @Test(arguments: [6, 74, 75, -1, 29, 31] as [Int16])
    func aQuestionThatFailsIsNoGap(code: Int16) throws {
        var scene = try heard()
        try scene.answer(Answers.epochEnd(-1, at: -1, error: code), to: .offsetForLeaderEpoch)
        for _ in 0..<2 {
            try scene.pass(.seconds(1))
            while let api = scene.apis.first, api != .fetch {
                let isMetadata = api == .metadata
                try scene.answer(
                    isMetadata
                        ? Answers.metadata(topic: "t", epoch: 6) : Answers.epochEnd(3, at: 9),
                    to: api)
            }
        }
        #expect(scene.apis == [.fetch] && scene.takeEvents().isEmpty)
    }

    /// The connection on which it was asked ends.
    @Test func aQuestionThatIsLostIsAskedAgain() throws {
        var scene = try heard()
        let lane = try #require(scene.requests.first).lane
        _ = scene.lose(lane)
        try scene.pass(.seconds(1))
        scene.openWishes()
        while scene.apis.contains(.apiVersions) {
            try scene.answer(Answers.versions(), to: .apiVersions)
        }
        if scene.apis.contains(.metadata) {
            try scene.answer(Answers.metadata(topic: "t", epoch: 5), to: .metadata)
        }
        try scene.pass(.seconds(1))
        #expect(scene.apis.contains(.offsetForLeaderEpoch), "\(scene.apis)")
    }

    /// Brokers without the request: what they tell of epochs is passed over.
    @Test func withoutTheRequestThereAreNoEpochs() throws {
        var scene = try KafkaConversation()
        let versions = Answers.allVersions.filter { $0.0 != .offsetForLeaderEpoch }
        try scene.answer(Answers.versions(versions), to: .apiVersions)
        try scene.answer(Answers.metadata(), to: .metadata)
        scene.perform(.subscribe([Topic(id: 0, name: .channel("t"))]))
        try scene.answer(Answers.metadata(topic: "t", epoch: 3), to: .metadata)
        try scene.answer(Answers.offsets(7, epoch: 3), to: .listOffsets)
        scene.openWishes()
        try scene.answer(Answers.versions(versions), to: .apiVersions)
        try scene.answer(Answers.fetched(highWatermark: 7), to: .fetch)
        #expect(scene.events.last?.contains("at \(PlaceVector([7]).position)") == true)
        try scene.changeLeader(epoch: 5)
        #expect(scene.apis == [.fetch])
    }

    // MARK: Made anew

    /// Deleted, and made anew under its name with what is longer than before: its epochs begin anew too, so that
    /// the place's epoch is above the leader's. Twice, since one answer may be a broker's that lags.
    @Test func aTopicThatIsMadeAnewWithAShorterLogIsAReset() throws {
        var scene = try heard()
        try scene.answer(Answers.epochEnd(3, at: 9), to: .offsetForLeaderEpoch)
        try scene.answer(Answers.fetched(highWatermark: -1, error: 3), to: .fetch)
        try scene.pass(.milliseconds(40))
        if !scene.apis.contains(.metadata) { try scene.pass(.seconds(1)) }
        if scene.apis.contains(.fetch) {
            try scene.answer(Answers.fetched(highWatermark: -1, error: 3), to: .fetch)
        }
        try scene.answer(Answers.metadata(topic: "t", error: 3), to: .metadata)
        #expect(scene.takeEvents().isEmpty, "no gap before it is known what is lost")
        try scene.pass(.seconds(1))
        try scene.answer(Answers.metadata(topic: "t", epoch: 0), to: .metadata)
        try scene.answer(Answers.fetched(highWatermark: -1, error: 1), to: .fetch)
        #expect(scene.takeEvents() == ["! rang t"])
        scene.read(from: [9], epoch: 3)
        for _ in 0..<2 {
            if scene.apis.contains(.fetch) {
                try scene.answer(Answers.fetched(highWatermark: -1, error: 1), to: .fetch)
            }
            try scene.answer(Answers.offsets(0), to: .listOffsets)
            try scene.answer(Answers.offsets(1), to: .listOffsets)
            try scene.pass(.milliseconds(300))
        }
        #expect(
            scene.takeEvents().contains {
                $0.contains("reset next after \(PlaceVector([0]).position)")
            })
    }
}

extension KafkaConversation {
    /// The leader says that it is none any more; the metadata names another epoch. A fetch that came before it fails too.
    fileprivate mutating func changeLeader(epoch: Int32) throws {
        try answer(KafkaConversation.fetched(highWatermark: -1, error: 6), to: .fetch)
        for _ in 0..<3 {
            try pass(.milliseconds(500))
            if apis.contains(.fetch) {
                try answer(KafkaConversation.fetched(highWatermark: -1, error: 6), to: .fetch)
            }
            if apis.contains(.metadata) {
                try answer(KafkaConversation.metadata(topic: "t", epoch: epoch), to: .metadata)
            }
            if apis == [.offsetForLeaderEpoch] { return }
        }
        try pass(.seconds(2))
        if apis.contains(.metadata) {
            try answer(KafkaConversation.metadata(topic: "t", epoch: epoch), to: .metadata)
        }
    }
}
