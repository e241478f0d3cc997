import BroadcasterWire

/// The channels that are wanted, and for each the node that delivers it, or is to.
struct ShardChannels: Sendable {
    private enum State: Hashable {
        /// No node has been asked.
        case homeless
        case asked(Lane)
        case confirmed(Lane)
    }

    private struct Channel {
        let topic: Topic
        let slot: Int
        var state = State.homeless
        /// The core waits for an answer.
        var isOwed = true

        /// The lane that was asked for it.
        var lane: Lane? {
            switch state {
            case .homeless: nil
            case .asked(let lane), .confirmed(let lane): lane
            }
        }
    }

    private var channels: [Int: Channel] = [:]
    private var numbers: [[UInt8]: Int] = [:]
    /// The channels of each slot.
    private var bySlot: [Int: Set<Int>] = [:]
    /// Those of them that no node has been asked for.
    private var homeless: [Int: Set<Int>] = [:]
    /// The slots for whose channels a lane was asked: what is lost with it is found without a look at all the others.
    private var slots: [Lane: Set<Int>] = [:]

    var hasHomeless: Bool { !homeless.isEmpty }
    var homelessSlots: [Int] { homeless.keys.sorted() }

    mutating func add(_ topics: [Topic]) {
        for topic in topics {
            let name = topic.name.bytes
            let slot = channels[topic.id]?.slot ?? HashSlot.of(name)
            channels[topic.id] = Channel(topic: topic, slot: slot)
            numbers[name] = topic.id
            bySlot[slot, default: []].insert(topic.id)
            homeless[slot, default: []].insert(topic.id)
        }
    }

    /// Forgets a channel. The result is the lane that has been asked for it.
    mutating func remove(_ topic: Topic) -> Lane? {
        forget(topic.id)?.lane
    }

    @discardableResult
    private mutating func forget(_ id: Int) -> Channel? {
        guard let channel = channels.removeValue(forKey: id) else { return nil }
        numbers[channel.topic.name.bytes] = nil
        ShardChannels.take(id, from: &homeless, at: channel.slot)
        ShardChannels.take(id, from: &bySlot, at: channel.slot)
        if bySlot[channel.slot] == nil, let lane = channel.lane {
            slots[lane]?.remove(channel.slot)
        }
        return channel
    }

    private static func take(_ id: Int, from sets: inout [Int: Set<Int>], at slot: Int) {
        sets[slot]?.remove(id)
        if sets[slot]?.isEmpty == true { sets[slot] = nil }
    }

    /// The channels of a slot, for which `lane` is asked now.
    mutating func take(_ slot: Int, by lane: Lane) -> [Topic] {
        let ids = (homeless.removeValue(forKey: slot) ?? []).sorted()
        if !ids.isEmpty { slots[lane, default: []].insert(slot) }
        return ids.compactMap { id in
            channels[id]?.state = .asked(lane)
            return channels[id]?.topic
        }
    }

    /// The channels of a slot of which the core is to be told that there is no node to ask: once for each.
    mutating func postpone(_ slot: Int) -> [Int] {
        (homeless[slot] ?? []).sorted().filter { id in
            guard channels[id]?.isOwed == true else { return false }
            channels[id]?.isOwed = false
            return true
        }
    }

    // MARK: Lanes

    /// The slots for whose channels a lane was asked.
    func slots(on lane: Lane) -> Set<Int> { slots[lane] ?? [] }

    /// True if a channel is delivered on the lane, or is to be.
    func isNeeded(_ lane: Lane) -> Bool {
        slots(on: lane).contains { slot in
            bySlot[slot]?.contains { channels[$0]?.lane == lane } ?? false
        }
    }

    /// Forgets those channels of a slot that are delivered on a lane: another node is to deliver them.
    mutating func leave(_ slot: Int, on lane: Lane) -> [Topic] {
        let ids = (bySlot[slot] ?? []).filter { channels[$0]?.state == .confirmed(lane) }
        slots[lane]?.remove(slot)
        return ids.sorted().compactMap { forget($0)?.topic }
    }

    /// Forgets one channel, where it is delivered on this lane. False where it is not.
    mutating func leave(_ topic: Topic, on lane: Lane) -> Bool {
        guard channels[topic.id]?.state == .confirmed(lane) else { return false }
        forget(topic.id)
        return true
    }

    // MARK: What nodes say

    /// Takes a confirmation. Returns the topic, where it was waited for.
    mutating func confirmed(_ name: [UInt8], on lane: Lane) -> Int? {
        guard let id = numbers[name], channels[id]?.state == .asked(lane) else { return nil }
        channels[id]?.state = .confirmed(lane)
        channels[id]?.isOwed = false
        return id
    }

    /// Takes the end of a channel that nobody asked for: its slot has moved. (That of one that is left, and is wanted anew,
    /// meets a channel that is asked for.)
    mutating func left(_ name: [UInt8], on lane: Lane) -> Int? {
        guard let id = numbers[name], channels[id]?.state == .confirmed(lane) else { return nil }
        forget(id)
        return id
    }

    /// Takes a confirmation. False where it was not waited for.
    mutating func confirmed(_ id: Int, on lane: Lane) -> Bool {
        guard let name = channels[id]?.topic.name.bytes else { return false }
        return confirmed(name, on: lane) != nil
    }

    func topic(_ id: Int) -> Topic? { channels[id]?.topic }

    /// The topics of a request that are still waited for on its lane.
    func open(_ request: ShardRequest, on lane: Lane) -> [Topic] {
        request.topics.filter { channels[$0.id]?.state == .asked(lane) }
    }

    /// A node has refused them for now: they are asked for again.
    mutating func release(_ topics: [Topic]) {
        for topic in topics {
            guard let channel = channels[topic.id] else { continue }
            channels[topic.id]?.state = .homeless
            homeless[channel.slot, default: []].insert(topic.id)
        }
    }

    /// The lane is gone. The result is the topics that were delivered on it; they are wanted anew when the core says so. Those
    /// that it was asked for are asked for again.
    mutating func lost(_ lane: Lane) -> [Int] {
        var interrupted: [Int] = []
        for slot in slots.removeValue(forKey: lane) ?? [] {
            for id in bySlot[slot] ?? [] {
                switch channels[id]?.state {
                case .confirmed(lane):
                    interrupted.append(id)
                    forget(id)
                case .asked(lane): release(channels[id].map { [$0.topic] } ?? [])
                default: break
                }
            }
        }
        return interrupted.sorted()
    }
}
