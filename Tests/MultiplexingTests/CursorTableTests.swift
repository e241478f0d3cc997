import BroadcasterTestSupport
import BroadcasterWire
import Testing

@testable import BroadcasterMultiplexing

/// Subscribers with cursors against a model of a server: whatever comes between, each sees every message once and in order,
/// or a gap in its place.
@Suite struct CursorTableTests {
    /// A channel's history on a server that answers when it is told to.
    private struct Server {
        private static let origin = Origin(channel: "c")
        var messages: [Int] = []
        /// The number of the first that is kept.
        var first = 1
        var requests: [HistoryRequest] = []

        var last: Int { first + messages.count - 1 }
        var tail: Position { last == 0 ? .origin : Position(0, UInt64(last)) }

        mutating func publish() {
            messages.append(last + 1)
        }

        mutating func trim(keeping count: Int) {
            let gone = max(messages.count - count, 0)
            messages.removeFirst(gone)
            first += gone
        }

        /// Answers one of the requests, in any order.
        mutating func answer(using random: inout SeededRandom) -> HistoryPage? {
            requests.indices.randomElement(using: &random).flatMap { answer($0) }
        }

        /// Answers the oldest request.
        mutating func answer() -> HistoryPage? { requests.isEmpty ? nil : answer(0) }

        private mutating func answer(_ place: Int) -> HistoryPage? {
            let request = requests.remove(at: place)
            switch request.kind {
            case .start(.last(let count)) where !messages.isEmpty && count > 0:
                let number = max(first, last - count + 1)
                return page(request, next: .from(Position(0, UInt64(number))))
            case .start(.all) where !messages.isEmpty:
                return page(request, next: .from(Position(0, UInt64(first))))
            case .start, .backwards: return page(request, next: .after(tail))
            case .forwards(let wanted): return forwards(wanted, request)
            }
        }

        private func forwards(_ wanted: PageRequest, _ request: HistoryRequest) -> HistoryPage {
            let place = Int(wanted.cursor.position.pair?.minor ?? 0)
            let begin = wanted.cursor.isInclusive ? place : place + 1
            if begin < first {
                return page(
                    request, .trimmed(lost: first - begin),
                    next: messages.isEmpty ? .after(tail) : .from(Position(0, UInt64(first))))
            }
            let end = min(wanted.end.flatMap { $0.pair.map { Int($0.minor) } } ?? last, last)
            let numbers = (begin...max(begin, end)).filter { $0 <= end }.prefix(wanted.count)
            var collector = MessageCollector()
            for number in numbers {
                _ = collector.add(
                    .text("\(number)"), position: Position(0, UInt64(number)),
                    topic: request.channel.id, origin: Server.origin)
            }
            let next = numbers.last.map { Cursor.after(Position(0, UInt64($0))) } ?? wanted.cursor
            return HistoryPage(
                ticket: request.ticket, messages: collector.finish(), next: next,
                isEnd: (numbers.last ?? end) >= end)
        }

        private func page(
            _ request: HistoryRequest, _ verdict: HistoryPage.Verdict = .kept, next: Cursor
        ) -> HistoryPage {
            HistoryPage(ticket: request.ticket, verdict: verdict, next: next, isEnd: false)
        }
    }

    /// A subscriber, and what it has read.
    private struct Reader {
        let id: Int
        let mailbox: Mailbox
        var last: Int?
        var mayHaveMissed = false
        /// It was out of the channel, so that it may have missed something anywhere.
        var hasLeft = false

        mutating func read(_ count: Int, seed: UInt64) {
            for _ in 0..<count {
                switch mailbox.poll() {
                case .message(let message):
                    let number = Int(String(decoding: message.bytes, as: UTF8.self)) ?? -1
                    if let last {
                        let isNext = mayHaveMissed || hasLeft ? number > last : number == last + 1
                        #expect(isNext, "seed \(seed): \(number) after \(last)")
                    }
                    (last, mayHaveMissed) = (number, false)
                case .gap(.trimmed): mayHaveMissed = true
                case .gap(let gap): Issue.record("seed \(seed): \(gap)")
                case .end, nil: return
                }
            }
        }
    }

    private let topic = Topic(id: 0, name: .channel("c"))

    private func carryOut(_ handOuts: [HandOut], _ table: inout CursorTable) {
        var handOuts = handOuts
        while !handOuts.isEmpty {
            handOuts = table.handed(handOuts.map { ($0, $0.carryOut()) })
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func everybodySeesEverythingOnceAndInOrder(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var (server, table) = (Server(), CursorTable())
        var readers: [Reader] = []
        // There is a connection, and the channel is delivered on it.
        var (isConnected, isConfirmed) = (false, false)
        for step in 0..<2000 {
            switch Int.random(in: 0..<14, using: &random) {
            case 0 where readers.count < 12:
                let start: HistoryStart =
                    [.new, .all, .last(5), .after(server.tail)][
                        Int.random(in: 0..<4, using: &random)]
                let size = Int.random(in: 1...20, using: &random)
                let mailbox = Mailbox(
                    limits: MailboxLimits(messages: size, bytes: .max, overflow: .refill))
                table.add(mailbox, as: step, to: [topic], start)
                readers.append(Reader(id: step, mailbox: mailbox))
                // The first is what the server is asked for.
                if isConfirmed, readers.count == 1 {
                    _ = table.confirmed(topic.id, at: server.tail)
                }
            case 1 where !readers.isEmpty && Int.random(in: 0..<4, using: &random) == 0:
                table.remove(readers.remove(at: 0).id)
            case 12 where !readers.isEmpty && Int.random(in: 0..<4, using: &random) == 0:
                // Out of the channel, and in again where it is by then.
                let index = Int.random(in: 0..<readers.count, using: &random)
                table.leave(readers[index].id, [topic.id])
                table.add(readers[index].mailbox, as: readers[index].id, to: [topic], .new)
                readers[index].hasLeft = true
            case 2 where seed % 3 == 0: server.trim(keeping: Int.random(in: 0...40, using: &random))
            case 3 where isConnected && Int.random(in: 0..<10, using: &random) == 0:
                (isConnected, isConfirmed) = (false, false)
                server.requests = []
                table.disconnected()
            case 4: isConnected = true
            case 13 where isConnected && !isConfirmed:
                isConfirmed = true
                _ = table.confirmed(topic.id, at: server.tail)
            case 5, 6:
                for _ in 0..<Int.random(in: 1...8, using: &random) { server.publish() }
                if isConnected { table.rang(topic.id) }
            case 7, 8:
                for index in readers.indices {
                    let wasStarved = readers[index].mailbox.isStarved
                    readers[index].read(Int.random(in: 0...15, using: &random), seed: seed)
                    if wasStarved, !readers[index].mailbox.isStarved {
                        table.roomMade(readers[index].id)
                    }
                }
            default:
                if isConnected { server.requests += table.takeRequests() }
                if let page = server.answer(using: &random) {
                    carryOut(table.answered(page).handOuts, &table)
                }
            }
        }
        if !isConfirmed { _ = table.confirmed(topic.id, at: server.tail) }
        finish(&server, &table, &readers, &random)
    }

    /// Lets everything come to rest: all have read to the end.
    private func finish(
        _ server: inout Server, _ table: inout CursorTable, _ readers: inout [Reader],
        _ random: inout SeededRandom
    ) {
        let seed = random.seed
        settle(&server, &table, &readers, &random)
        // Everybody has begun by now.
        server.publish()
        table.rang(topic.id)
        settle(&server, &table, &readers, &random)
        for reader in readers { #expect(reader.last == server.last, "seed \(seed)") }
    }

    private func settle(
        _ server: inout Server, _ table: inout CursorTable, _ readers: inout [Reader],
        _ random: inout SeededRandom
    ) {
        for _ in 0..<2000 {
            server.requests += table.takeRequests()
            if let page = server.answer(using: &random) {
                carryOut(table.answered(page).handOuts, &table)
            }
            for index in readers.indices {
                let wasStarved = readers[index].mailbox.isStarved
                readers[index].read(1000, seed: random.seed)
                if wasStarved { table.roomMade(readers[index].id) }
            }
        }
    }

    /// They come one after the other, as browsers do after a restart: who comes for what was read a moment ago is given it.
    @Test func aPageIsReadOnceForThoseWhoComeLater() {
        var server = Server()
        var table = CursorTable()
        for _ in 0..<100 { server.publish() }
        let start = Instant.now
        var mailboxes: [Mailbox] = []
        var reads = 0
        func come(_ count: Int, after place: (Int) -> UInt64, at now: Instant) {
            for number in 0..<count {
                let mailbox = Mailbox(
                    limits: MailboxLimits(messages: 200, bytes: .max, overflow: .refill))
                mailboxes.append(mailbox)
                table.add(
                    mailbox, as: mailboxes.count, to: [topic], .after(Position(0, place(number))))
                if mailboxes.count == 1 { _ = table.confirmed(topic.id, at: server.tail) }
                repeat {
                    let requests = table.takeRequests(at: now)
                    reads += requests.count
                    server.requests += requests
                    carryOut(table.takeHandOuts(), &table)
                    if let page = server.answer() {
                        carryOut(table.answered(page, at: now).handOuts, &table)
                    }
                } while !server.requests.isEmpty
                var texts: [String] = []
                while case .message(let message)? = mailbox.poll() {
                    texts.append(String(decoding: message.bytes, as: UTF8.self))
                }
                #expect(texts == (place(number) + 1...100).map { "\($0)" })
            }
        }
        come(100, after: { UInt64(1 + $0 % 50) }, at: start)
        #expect(reads == 1)
        come(1, after: { _ in 7 }, at: start + .seconds(1))
        #expect(reads == 1)
        come(1, after: { _ in 7 }, at: start + .seconds(2))
        #expect(reads == 2, "it is kept for two seconds")
        // The next connection may lead to a server with another history.
        table.disconnected()
        _ = table.confirmed(topic.id, at: server.tail)
        table.add(
            Mailbox(limits: MailboxLimits(messages: 1, bytes: .max, overflow: .refill)), as: 0,
            to: [topic], .after(Position(0, 8)))
        let requests = table.takeRequests(at: start + .seconds(2))
        #expect(
            requests.contains { request in
                guard case .forwards(let page) = request.kind else { return false }
                return page.cursor == .after(Position(0, 8))
            })
    }

    /// On a new connection the tail is asked for at once, and its answer comes after the server has named a newer one.
    @Test func anAnswerFromAnotherTailIsNotTakenForThis() {
        var server = Server()
        var table = CursorTable()
        var texts: [String] = []
        for _ in 0..<10 { server.publish() }
        let mailbox = Mailbox(
            limits: MailboxLimits(messages: 100, bytes: .max, overflow: .refill))
        table.add(mailbox, as: 1, to: [topic], .new)
        _ = table.confirmed(topic.id, at: server.tail)
        table.disconnected()
        server.requests = table.takeRequests()
        #expect(server.requests.count == 1)
        for _ in 0..<4 { server.publish() }
        _ = table.confirmed(topic.id, at: server.tail)
        // The page that was missed, up to the newest message; one more comes before either is answered.
        server.requests += table.takeRequests()
        #expect(server.requests.count == 2)
        server.publish()
        table.rang(topic.id)
        for _ in 0..<10 {
            if let page = server.answer() { carryOut(table.answered(page).handOuts, &table) }
            server.requests += table.takeRequests()
        }
        while case .message(let message)? = mailbox.poll() {
            texts.append(String(decoding: message.bytes, as: UTF8.self))
        }
        #expect(texts == ["11", "12", "13", "14", "15"])
    }

    /// A hundred read a busy channel: a quiet one waits for a page of it, and not for all.
    @Test func aQuietChannelHasItsTurn() {
        var table = CursorTable()
        let quiet = Topic(id: 1, name: .channel("quiet"))
        for id in 0..<100 {
            let mailbox = Mailbox(
                limits: MailboxLimits(messages: 10, bytes: .max, overflow: .refill))
            table.add(mailbox, as: id, to: [topic], .after(Position(0, UInt64(id + 1))))
        }
        let mailbox = Mailbox(
            limits: MailboxLimits(messages: 10, bytes: .max, overflow: .refill))
        table.add(mailbox, as: 100, to: [quiet], .new)
        _ = table.confirmed(topic.id, at: Position(0, 1000))
        _ = table.confirmed(quiet.id, at: .origin)
        var busy = table.takeRequests()
        #expect(busy.count == 8 && busy.allSatisfy { $0.channel == topic })
        table.rang(quiet.id)
        var next: [HistoryRequest] = []
        for _ in 0..<2 {
            let page = HistoryPage(
                ticket: busy.removeFirst().ticket, next: .after(Position(0, 1000)), isEnd: true)
            _ = table.answered(page)
            next += table.takeRequests()
        }
        #expect(next.contains { $0.channel == quiet })
    }

    /// Pages that no honest server gives: backwards, elsewhere, without an end. Nothing traps.
    @Test(arguments: 0..<6 as Range<UInt64>)
    func pagesThatMakeNoSenseTrapNothing(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = CursorTable()
        var mailboxes: [Mailbox] = []
        var requests: [HistoryRequest] = []
        func position() -> Position {
            let number = UInt64.random(in: 0...20, using: &random)
            let era = UInt64.random(in: 0...2, using: &random)
            return number == 0 ? .origin : Position(era, number)
        }
        for _ in 0..<2000 {
            switch Int.random(in: 0..<8, using: &random) {
            case 0 where mailboxes.count < 30:
                let mailbox = Mailbox(
                    limits: MailboxLimits(messages: 5, bytes: .max, overflow: .refill))
                let starts: [HistoryStart] = [.new, .all, .last(3), .after(position())]
                let start = starts.randomElement(using: &random) ?? .new
                table.add(mailbox, as: mailboxes.count, to: [topic], start)
                mailboxes.append(mailbox)
            case 1: _ = table.confirmed(topic.id, at: position())
            case 2: table.rang(topic.id)
            case 3 where Int.random(in: 0..<20, using: &random) == 0:
                requests = []
                table.disconnected()
            case 4:
                for (id, mailbox) in mailboxes.enumerated() {
                    for _ in 0..<3 { _ = mailbox.poll() }
                    table.roomMade(id)
                }
            default:
                requests += table.takeRequests()
                guard !requests.isEmpty else { continue }
                let request = requests.removeFirst()
                var collector = MessageCollector()
                for _ in 0..<Int.random(in: 0...4, using: &random) {
                    _ = collector.add(
                        .text("x"), position: position(), topic: topic.id,
                        origin: Origin(channel: "c"))
                }
                let verdicts: [HistoryPage.Verdict] = [.kept, .kept, .trimmed(lost: -5), .reset]
                let verdict = verdicts.randomElement(using: &random) ?? .kept
                let place = position()
                let page = HistoryPage(
                    ticket: request.ticket, verdict: verdict,
                    messages: verdict == .kept ? collector.finish() : nil,
                    next: Bool.random(using: &random) ? .after(place) : .from(place),
                    isEnd: Bool.random(using: &random))
                carryOut(table.answered(page).handOuts, &table)
            }
        }
    }

    /// The number of a topic that was refused is another's next.
    @Test func aNumberThatIsGivenAgainIsAnotherChannel() {
        var table = CursorTable()
        let mailbox = Mailbox(
            limits: MailboxLimits(messages: 1, bytes: .max, overflow: .refill))
        table.add(mailbox, as: 1, to: [topic], .all)
        #expect(table.takeRequests().map(\.channel) == [topic])
        table.remove(1)
        let other = Topic(id: 0, name: .channel("other"))
        table.add(mailbox, as: 2, to: [other], .all)
        #expect(table.takeRequests().map(\.channel) == [other])
    }

    @Test func manyAtOnePlaceReadOnePage() {
        var table = CursorTable()
        for id in 0..<1000 {
            let mailbox = Mailbox(
                limits: MailboxLimits(messages: 10, bytes: .max, overflow: .refill))
            table.add(mailbox, as: id, to: [topic], .after(Position(0, UInt64(1 + id % 5))))
        }
        _ = table.confirmed(topic.id, at: Position(0, 100))
        #expect(table.takeRequests().count == 5)
        #expect(table.takeRequests().isEmpty)
    }
}
