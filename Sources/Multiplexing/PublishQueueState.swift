package import BroadcasterWire

/// The messages on their way to the server, and the tasks that await the outcome. A pure value.
///
/// A message is `unsent` until the session has taken it and `sent` until its answer comes. The waiting task may
/// leave; a sent message keeps its place all the same, since its answer will come and must not pass for another's
/// (CVE-2023-28858).
package struct PublishQueueState<Waiter: Sendable>: Sendable {
    private struct Unsent: Numbered {
        let id: UInt64
        let deadline: Instant
        let channel: String
        var payload: Payload
        /// nil in a cancelled message, which is passed over when its turn comes.
        var waiter: Waiter?
    }

    /// A message that awaits only its answer: the session has the message itself.
    private struct Sent: Numbered {
        let id: UInt64
        let deadline: Instant
        var waiter: Waiter?
        var isAnswered = false
    }

    package typealias Settled = (waiter: Waiter, result: Result<Receipt, PublishFailure>)

    private var unsent = Queue<Unsent>()
    private var sent = Queue<Sent>()
    /// The ticket of the first of `sent`; the others' follow on.
    private var firstTicket: UInt64 = 0
    /// The number of messages at the front of `sent` that have passed their deadline.
    private var overdue = 0
    private var isOpen = false
    package private(set) var published = 0

    /// The most messages that are sent and not answered: a server that takes them and does not answer must not fill
    /// this process's memory. The others wait unsent.
    package static var sentLimit: Int { 65_536 }

    package init() {}

    /// True if no message waits, neither here nor for an answer that somebody could still be given.
    package var isIdle: Bool { unsent.isEmpty && overdue == sent.count }
    package var hasUnsent: Bool { !unsent.isEmpty }
    package var sentCount: Int { sent.count }
    package var unsentCount: Int { unsent.count }

    package mutating func open() {
        isOpen = true
    }

    /// Adds a message. Deadlines must ascend. Returns false if the queue is closed.
    package mutating func add(
        _ payload: Payload, to channel: String, id: UInt64, deadline: Instant, waiter: Waiter
    ) -> Bool {
        guard isOpen else { return false }
        unsent.append(
            Unsent(id: id, deadline: deadline, channel: channel, payload: payload, waiter: waiter))
        return true
    }

    /// The approximate bytes of a message on the wire beside its payload and its channel's name.
    private static var frameSize: Int { 32 }

    /// Takes messages for the session, in order, at most `count`, until they take `limit` bytes together.
    package mutating func takeUnsent(limit: Int, count: Int = .max) -> [Publication] {
        var publications: [Publication] = []
        var size = 0
        let count = min(count, Self.sentLimit - sent.count)
        while size < limit, publications.count < count, let entry = unsent.removeFirst() {
            if entry.waiter == nil { continue }
            let ticket = firstTicket + UInt64(sent.count)
            sent.append(Sent(id: entry.id, deadline: entry.deadline, waiter: entry.waiter))
            publications.append(
                Publication(
                    ticket: ticket, channel: entry.channel, payload: entry.payload,
                    deadline: entry.deadline))
            size += entry.payload.byteCount + entry.channel.utf8.count + Self.frameSize
        }
        return publications
    }

    /// Records the answer to a message. Most answers come in the order of sending.
    package mutating func answered(
        _ ticket: UInt64, _ result: Result<Receipt, PublishFailure>
    ) -> Settled? {
        guard ticket >= firstTicket, ticket - firstTicket < UInt64(sent.count) else { return nil }
        let index = Int(ticket - firstTicket)
        let waiter: Waiter?
        if index == 0 {
            waiter = removeFirstSent()
            while sent.first?.isAnswered == true { _ = removeFirstSent() }
        } else {
            guard let entry = sent[index], !entry.isAnswered else { return nil }
            waiter = entry.waiter
            sent[index]?.isAnswered = true
            sent[index]?.waiter = nil
        }
        if case .success = result { published += 1 }
        return waiter.map { ($0, result) }
    }

    private mutating func removeFirstSent() -> Waiter? {
        firstTicket += 1
        if overdue > 0 { overdue -= 1 }
        return sent.removeFirst()?.waiter
    }

    /// Settles a message whose answer will not come.
    package mutating func lost(_ ticket: UInt64, _ reason: String) -> Settled? {
        answered(ticket, .failure(.outcomeUnknown(reason)))
    }

    /// Settles all that were sent: the connection is gone. The unsent ones wait for the next connection.
    package mutating func connectionLost(_ reason: String) -> [Settled] {
        (firstTicket..<firstTicket + UInt64(sent.count)).compactMap { lost($0, reason) }
    }

    /// Fails the messages whose deadline has passed.
    package mutating func expire(at now: Instant, _ reason: String) -> [Settled] {
        var settled: [Settled] = []
        while overdue < sent.count, let entry = sent[overdue], entry.deadline <= now {
            if let waiter = entry.waiter {
                settled.append((waiter, .failure(.outcomeUnknown("no answer in time"))))
            }
            sent[overdue]?.waiter = nil
            overdue += 1
        }
        while let entry = unsent.first, entry.deadline <= now {
            _ = unsent.removeFirst()
            if let waiter = entry.waiter { settled.append((waiter, .failure(.notSent(reason)))) }
        }
        return settled
    }

    /// The time of the next call of `expire`.
    package var nextDeadline: Instant? {
        let sentDeadline = overdue < sent.count ? sent[overdue]?.deadline : nil
        return sentDeadline.orEarlier(unsent.first?.deadline)
    }

    /// The deadline of the answer that is due next.
    package var oldestSentDeadline: Instant? { sent.first?.deadline }

    /// Cancels these messages: the task that waits for them was cancelled.
    package mutating func cancel(_ ids: Range<UInt64>) -> [Settled] {
        // Numbers are drawn before the queue is locked, so they ascend but for calls of the same moment: the queue is
        // searched whole for those that are not in their place.
        var places = (sent: Self.run(of: ids, in: sent), unsent: Self.run(of: ids, in: unsent))
        if places.sent.count + places.unsent.count < ids.count {
            places = (Self.places(of: ids, in: sent), Self.places(of: ids, in: unsent))
        }
        var settled: [Settled] = []
        for index in places.sent {
            guard let waiter = sent[index]?.waiter else { continue }
            sent[index]?.waiter = nil
            let failure = PublishFailure.outcomeUnknown("cancelled while waiting for the answer")
            settled.append((waiter, .failure(failure)))
        }
        for index in places.unsent {
            guard let waiter = unsent[index]?.waiter else { continue }
            unsent[index]?.waiter = nil
            unsent[index]?.payload = .bytes([])
            settled.append((waiter, .failure(.cancelled)))
        }
        while let next = unsent.first, next.waiter == nil { _ = unsent.removeFirst() }
        return settled
    }

    /// The places of these messages if the numbers ascend.
    private static func run<Entry: Numbered>(
        of ids: Range<UInt64>, in queue: Queue<Entry>
    ) -> [Int] {
        var (start, end) = (0, queue.count)
        while start < end {
            let middle = start + (end - start) / 2
            if let entry = queue[middle], entry.id < ids.lowerBound {
                start = middle + 1
            } else {
                end = middle
            }
        }
        while end < queue.count, let entry = queue[end], ids.contains(entry.id) { end += 1 }
        return Array(start..<end)
    }

    private static func places<Entry: Numbered>(
        of ids: Range<UInt64>, in queue: Queue<Entry>
    ) -> [Int] {
        (0..<queue.count).filter { queue[$0].map { ids.contains($0.id) } ?? false }
    }

    /// Closes the queue and fails every message.
    ///
    /// - Parameter failure: of those that were not sent.
    package mutating func close(_ failure: PublishFailure = .closed) -> [Settled] {
        isOpen = false
        var settled = connectionLost("disconnected while waiting for the answer")
        while let entry = unsent.removeFirst() {
            if let waiter = entry.waiter { settled.append((waiter, .failure(failure))) }
        }
        return settled
    }
}

/// An entry that can be found by its number.
private protocol Numbered: Sendable {
    var id: UInt64 { get }
}
