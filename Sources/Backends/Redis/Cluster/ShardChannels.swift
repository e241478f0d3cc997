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
    }

    private var channels: [Int: Channel] = [:]
    private var numbers: [[UInt8]: Int] = [:]
    /// The channels of each slot that no node has been asked for.
    private var homeless: [Int: Set<Int>] = [:]

    var hasHomeless: Bool { !homeless.isEmpty }
    var homelessSlots: [Int] { homeless.keys.sorted() }

    mutating func add(_ topics: [Topic]) {
        for topic in topics {
            let name = topic.name.bytes
            let slot = channels[topic.id]?.slot ?? HashSlot.of(name)
            channels[topic.id] = Channel(topic: topic, slot: slot)
            numbers[name] = topic.id
            homeless[slot, default: []].insert(topic.id)
        }
    }

    /// Forgets a channel. The result is the lane that has been asked for it.
    mutating func remove(_ topic: Topic) -> Lane? {
        guard let channel = channels.removeValue(forKey: topic.id) else { return nil }
        numbers[topic.name.bytes] = nil
        house(channel)
        switch channel.state {
        case .homeless: return nil
        case .asked(let lane), .confirmed(let lane): return lane
        }
    }

    private mutating func house(_ channel: Channel) {
        homeless[channel.slot]?.remove(channel.topic.id)
        if homeless[channel.slot]?.isEmpty == true { homeless[channel.slot] = nil }
    }

    /// The channels of a slot, for which `lane` is asked now.
    mutating func take(_ slot: Int, by lane: Lane) -> [Topic] {
        let ids = (homeless.removeValue(forKey: slot) ?? []).sorted()
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
        channels[id] = nil
        numbers[name] = nil
        return id
    }

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
        for (id, channel) in channels {
            switch channel.state {
            case .confirmed(lane):
                interrupted.append(id)
                numbers[channel.topic.name.bytes] = nil
                channels[id] = nil
            case .asked(lane): release([channel.topic])
            default: break
            }
        }
        return interrupted.sorted()
    }
}
