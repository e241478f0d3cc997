import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterKafka

/// What brokers do that those of the integration tests never do.
struct KafkaSessionTests {
    private typealias Answers = KafkaConversation

    // MARK: Opening

    @Test func theIdentityNamesBrokerVersionsAndCluster() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        #expect(scene.events == ["! ready Produce 7, Fetch 10, ListOffsets 4, Metadata 7"])
        scene.perform(.ping)
        try scene.answer(Answers.versions(), to: .apiVersions)
        #expect(scene.events.last == "! answered")
    }

    @Test(arguments: [
        (KafkaConversation.versions([(.fetch, 11...18)]), "Produce"),
        (
            KafkaConversation.versions(
                KafkaConversation.allVersions.map { $0.0 == .fetch ? (.fetch, 11...18) : $0 }),
            "Fetch in common: here is 10 or 6, the broker has 11 to 18"
        ),
        (KafkaConversation.versions(error: 35), "UNSUPPORTED_VERSION"),
    ])
    func versionsThatDoNotMeetAreNamed(answer: [UInt8], words: String) throws {
        var scene = try KafkaConversation()
        try scene.answer(answer, to: .apiVersions)
        #expect(scene.rejections.count == 1)
        #expect(scene.rejections.first?.message.contains(words) == true, "\(scene.rejections)")
    }

    @Test(arguments: [
        ("15030300020228", "TLS"), ("485454502f312e31", "HTTP"), ("00000000", "size"),
        ("7fffffff", "size"), ("ffffffff", "size"),
    ])
    func whatIsNoKafkaIsNamed(text: String, words: String) throws {
        var scene = try KafkaConversation()
        #expect {
            try scene.receive(bytes(hex: text))
        } throws: { "\($0)".contains(words) }
    }

    @Test func anAnswerToNothingIsAViolation() throws {
        var scene = try KafkaConversation()
        #expect(throws: ProtocolError.self) {
            try scene.receive(bytes(hex: "0000000400000009"))
        }
    }

    // MARK: Publishing

    @Test func anAnswerAcceptsAllOfABatch() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        scene.publish("a", "b")
        #expect(scene.apis == [.metadata, .initProducerId])
        try scene.answer(Answers.metadata(topic: "t"), to: .metadata)
        try scene.answer(Answers.producerId(), to: .initProducerId)
        try scene.answer(Answers.produced(0), to: .produce)
        #expect(
            scene.events.suffix(2).map { $0.prefix(15) } == ["! published 0 ?", "! published 1 ?"])
    }

    /// NOT_LEADER may come after the append: the same batch goes out again, unchanged.
    @Test(arguments: [6, 7, 20, -1, 56, 3, 5, 19, 74] as [Int16])
    func whatMayBeWrittenIsSentAgainUnchanged(code: Int16) throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.beginPublishing()
        let first = try #require(scene.requests.last { $0.api == .produce }).body
        try scene.answer(Answers.produced(code), to: .produce)
        try scene.pass(.seconds(1))
        if scene.apis.contains(.metadata) {
            try scene.answer(Answers.metadata(topic: "t"), to: .metadata)
        }
        #expect(scene.requests.last { $0.api == .produce }?.body == first)
        try scene.answer(Answers.produced(0), to: .produce)
        #expect(scene.events.last?.hasPrefix("! published 0 ?") == true)
    }

    @Test(arguments: [6, 7, 20, -1, 56] as [Int16])
    func withoutAnIdentityTheOutcomeIsUnknown(code: Int16) throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.beginPublishing(idempotent: false)
        try scene.answer(Answers.produced(code), to: .produce)
        #expect(scene.events.last?.hasPrefix("! publish lost 0") == true, "\(scene.events)")
    }

    @Test func aDuplicateIsAccepted() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.beginPublishing()
        try scene.answer(Answers.produced(46, offset: -1), to: .produce)
        #expect(scene.events.last?.hasPrefix("! published 0 ?") == true)
    }

    /// A broker that has forgotten the producer: another identity, where nothing can be written yet.
    @Test(arguments: [45, 47, 59, 90] as [Int16])
    func aProducerThatIsForgottenBeginsAnew(code: Int16) throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.beginPublishing()
        try scene.answer(Answers.produced(code), to: .produce)
        #expect(scene.apis == [.initProducerId])
        try scene.answer(Answers.producerId(), to: .initProducerId)
        try scene.answer(Answers.produced(0), to: .produce)
        #expect(scene.events.last?.hasPrefix("! published 0 ?") == true)
    }

    @Test func aBatchThatIsTooLargeIsSplit() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        scene.publish("a", "b")
        try scene.answer(Answers.metadata(topic: "t"), to: .metadata)
        try scene.answer(Answers.producerId(), to: .initProducerId)
        try scene.answer(Answers.produced(10), to: .produce)
        try scene.answer(Answers.produced(0), to: .produce)
        #expect(scene.events.last?.hasPrefix("! published 0 ?") == true)
        try scene.answer(Answers.produced(10), to: .produce)
        #expect(scene.events.last?.hasPrefix("! publish refused 1 MESSAGE_TOO_LARGE") == true)
    }

    /// A connection that ends with a message on its way: sent again over another, by the metadata.
    @Test func aLostLeaderIsReplaced() throws {
        var scene = try KafkaConversation()
        try scene.greet(brokers: [1, 2])
        scene.publish("x")
        try scene.answer(Answers.metadata(brokers: [1, 2], topic: "t"), to: .metadata)
        try scene.answer(Answers.producerId(), to: .initProducerId)
        #expect(scene.lose(.main) == .survived)
        scene.openWishes()
        try scene.answer(Answers.versions(), to: .apiVersions)
        if scene.apis.contains(.metadata) == false { try scene.pass(.seconds(1)) }
        try scene.answer(
            Answers.metadata(brokers: [1, 2], topic: "t", leader: 2, epoch: 1), to: .metadata)
        try scene.pass(.seconds(1))
        try scene.answer(Answers.produced(0), to: .produce)
        #expect(scene.events.last?.hasPrefix("! published 0 ?") == true)
    }

    /// It may have been started anew, without the topic: nothing is written there before the metadata has shown it.
    @Test func aBrokerThatIsBackIsAskedForItsTopicsFirst() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe()
        scene.publish("x")
        try scene.answer(Answers.producerId(), to: .initProducerId)
        try scene.answer(Answers.produced(0), to: .produce)
        #expect(scene.lose(.main) == .survived)
        scene.publish("y")
        try scene.pass(.milliseconds(100))
        scene.openWishes()
        try scene.answer(Answers.versions(), to: .apiVersions)
        try scene.pass(.seconds(1))
        #expect(scene.apis.filter { $0 != .fetch } == [.metadata])
        try scene.answer(Answers.metadata(topic: "t", error: 3), to: .metadata)
        try scene.pass(.seconds(1))
        #expect(scene.apis.filter { $0 != .fetch } == [.metadata], "it is made")
        try scene.answer(Answers.metadata(topic: "t"), to: .metadata)
        #expect(scene.apis.filter { $0 != .fetch } == [.produce])
    }

    @Test func aQuotaHoldsTheConnectionBack() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.beginPublishing()
        try scene.answer(Answers.produced(0, throttle: 3000), to: .produce)
        scene.publish("y")
        #expect(scene.apis.isEmpty)
        try scene.pass(.seconds(3))
        #expect(scene.apis == [.produce])
    }

    // MARK: Reading

    @Test func aSubscriptionIsConfirmedAtTheHighWatermark() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe(endingAt: 5)
        let position = PlaceVector([5]).position
        #expect(
            scene.events.last?.hasPrefix("! subscribed t at \(position)") == true, "\(scene.events)"
        )
    }

    /// What has come rings, and is kept until it is read.
    @Test func whatComesRingsAndIsRead() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe()
        try scene.answer(
            Answers.fetched(Answers.batch("a", "b", at: 0), highWatermark: 2), to: .fetch)
        #expect(scene.events.last == "! rang t" && scene.apis.isEmpty)
        scene.read(from: [0])
        #expect(scene.events.suffix(2).map { String($0.suffix(2)) } == [" a", " b"])
        #expect(scene.apis == [.fetch])
        scene.read(from: [2])
        #expect(scene.events.last?.hasSuffix("end") == true, "\(scene.events)")
    }

    /// Leader errors ask for the metadata, and the same place is fetched again.
    @Test(arguments: [3, 5, 6, 74, 75, 78, 9, -1] as [Int16])
    func anErrorOfAFetchIsNoGap(code: Int16) throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe(endingAt: 7)
        let first = try #require(scene.requests.last { $0.api == .fetch }).body
        try scene.answer(Answers.fetched(highWatermark: -1, error: code), to: .fetch)
        if scene.apis.contains(.metadata) {
            try scene.answer(Answers.metadata(topic: "t"), to: .metadata)
        }
        _ = scene.takeEvents()
        try scene.pass(.seconds(1))
        #expect(scene.requests.last { $0.api == .fetch }?.body == first)
        #expect(scene.takeEvents().isEmpty)
    }

    /// A high watermark below the place, without an error: the log has become shorter.
    @Test func aLogThatHasBecomeShorterIsAReset() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe(endingAt: 7)
        try scene.answer(Answers.fetched(highWatermark: 3), to: .fetch)
        #expect(scene.events.last == "! rang t")
        scene.read(from: [7])
        for _ in 0..<2 {
            try scene.answer(Answers.fetched(highWatermark: 3), to: .fetch)
            try scene.answer(Answers.offsets(0), to: .listOffsets)
            try scene.answer(Answers.offsets(3), to: .listOffsets)
            try scene.pass(.milliseconds(300))
        }
        #expect(
            scene.events.contains { $0.contains("reset next after \(PlaceVector([0]).position)") })
    }

    @Test func aFetchThatNamesNothingIsNoLoop() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe()
        var empty: [UInt8] = []
        empty.appendInt32(0)
        empty.appendInt16(0)
        empty.appendInt32(0)
        empty.appendCount(0)
        try scene.answer(empty, to: .fetch)
        #expect(scene.apis.isEmpty)
        try scene.pass(.seconds(1))
        #expect(scene.apis == [.fetch])
    }

    /// Found when the topic is already heard: from its beginning.
    @Test func aPartitionThatIsFoundLaterIsReadFromItsBeginning() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        try scene.subscribe()
        try scene.answer(Answers.fetched(highWatermark: 0, error: 6), to: .fetch)
        try scene.pass(.milliseconds(200))
        try scene.answer(Answers.metadata(topic: "t", partitions: 2), to: .metadata)
        try scene.answer(Answers.fetched(highWatermark: 0), to: .fetch)
        let fetch = try #require(scene.requests.last { $0.api == .fetch })
        #expect(Array(fetch.body.dropFirst(25).prefix(4)) == [0, 0, 0, 2], "two partitions")
    }

    @Test(
        arguments: [(17, Rejection.Kind.permanent), (29, .permission)] as [(Int16, Rejection.Kind)])
    func aTopicThatIsRefusedEndsItsSubscription(code: Int16, kind: Rejection.Kind) throws {
        var scene = try KafkaConversation()
        try scene.greet()
        scene.perform(.subscribe([Topic(id: 0, name: .channel("t"))]))
        try scene.answer(Answers.metadata(topic: "t", error: code), to: .metadata)
        #expect(scene.events.last?.hasPrefix("! refused t") == true)
        _ = kind
    }

    @Test func aTopicThatIsNotThereYetIsWaitedFor() throws {
        var scene = try KafkaConversation()
        try scene.greet()
        scene.perform(.subscribe([Topic(id: 0, name: .channel("t"))]))
        try scene.answer(Answers.metadata(topic: "t", error: 3), to: .metadata)
        #expect(scene.events.last == "! postponed t")
        try scene.pass(.seconds(1))
        try scene.answer(Answers.metadata(topic: "t"), to: .metadata)
        #expect(scene.apis == [.listOffsets])
    }

    // MARK: Silence

    @Test func aBrokerThatDoesNotAnswerIsGivenUp() throws {
        var scene = try KafkaConversation(ping: .seconds(1))
        try scene.greet()
        try scene.pass(.seconds(1))
        #expect(scene.apis == [.apiVersions])
        #expect(throws: ProtocolError.self) { try scene.pass(.seconds(2)) }
    }

    // MARK: Damage

    /// Promise 10: a session yields events or throws, and ends, whatever bytes come.
    @Test func damagedAnswersAreSurvived() throws {
        var random = SeededRandom()
        let answers: [(KafkaAPI, [UInt8])] = [
            (.metadata, Answers.metadata(topic: "t", partitions: 3)),
            (.listOffsets, Answers.offsets(4)),
            (.fetch, Answers.fetched(Answers.batch("a", "b", at: 4), highWatermark: 6)),
            (.produce, Answers.produced(6)), (.initProducerId, Answers.producerId()),
        ]
        for round in 0..<500 {
            var scene = try KafkaConversation()
            try scene.greet()
            scene.perform(.subscribe([Topic(id: 0, name: .channel("t"))]))
            scene.publish("x")
            do {
                for _ in 0..<12 {
                    scene.openWishes()
                    guard let api = scene.apis.randomElement(using: &random) else { break }
                    let answer =
                        answers.first { $0.0 == api }?.1 ?? Answers.versions()
                    let damaged =
                        Int.random(in: 0..<3, using: &random) == 0
                        ? Mutation.apply(to: answer, using: &random) : answer
                    try scene.answer(damaged, to: api)
                    if scene.events.last == "! rang t" { scene.read(from: [0]) }
                    try scene.pass(.milliseconds(100))
                }
            } catch let error as ProtocolError {
                #expect(!error.description.isEmpty, "seed \(random.seed), round \(round)")
            }
        }
    }
}

extension KafkaConversation {
    /// Reads at the topic's end, as the core does when it has rung.
    ///
    /// - Parameter epoch: of the place in the first partition; nil: none is known.
    mutating func read(from offsets: [Int64], epoch: Int32? = nil, to end: Position? = nil) {
        var place = PlaceVector(offsets)
        if let epoch { place.setEpoch(epoch, of: 0) }
        let page = PageRequest(cursor: .after(place.position), end: end, count: 1000)
        perform(
            .read([
                HistoryRequest(
                    ticket: 1, channel: Topic(id: 0, name: .channel("t")), kind: .forwards(page))
            ]))
    }
}
