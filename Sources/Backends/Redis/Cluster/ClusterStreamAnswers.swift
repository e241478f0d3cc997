import BroadcasterWire

/// What nodes say, and what their loss means.
extension ClusterStreamSession {
    /// Gives a node's conversation an input, and takes over what it wants and says. The result is the fault of the node, where
    /// there was one; what was understood before that counts.
    @discardableResult
    mutating func input(
        _ number: Int, at now: Instant, into output: inout SessionOutput,
        _ body: (inout RedisStreamSession, inout SessionOutput) throws(ProtocolError) -> Void
    ) -> ProtocolError? {
        guard var node = nodes[number] else { return nil }
        // The copy above must not be one: the conversation's buffers would be copied with each input.
        nodes[number] = nil
        var inner = SessionOutput()
        inner.time = output.time
        var fault: ProtocolError?
        do throws(ProtocolError) {
            try body(&node.session, &inner)
        } catch {
            fault = error
        }
        let slots = node.session.takeSlots()
        nodes[number] = node
        inner.drainBytes { lane, bytes in
            output[node.outer(lane)] += bytes
            bytes.removeAll()
        }
        for wish in inner.takeConnections() {
            output.connect(node.outer(wish.lane), to: node.endpoint)
        }
        for lane in inner.takeFinished() { output.finish(node.outer(lane)) }
        for event in inner.takeEvents() { take(event, from: node, at: now, into: &output) }
        if let slots { receiveTable(slots, from: node, into: &output) }
        return fault
    }

    private mutating func take(
        _ event: Event, from node: StreamNode, at now: Instant, into output: inout SessionOutput
    ) {
        switch event {
        case .ready(let identity): greeted(node, identity, at: now, into: &output)
        case .rejected where phase != .open:
            phase = .closing
            output.append(event)
        case .rejected(let rejection):
            drop(node.number, rejection.message, at: now, into: &output)
        case .subscribed(let topic, _):
            guard channels.confirmed(topic, on: node.outer(.main)) else { return }
            if let name = channels.topic(topic)?.name { pauses.succeeded(HashSlot.of(name.bytes)) }
            output.append(event)
        case .subscriptionRefused(let topic, let rejection):
            refused(topic, rejection, by: node, at: now, into: &output)
        case .published(let acceptance):
            for offset in 0..<acceptance.count {
                let ticket = acceptance.firstTicket + UInt64(offset)
                guard let sent = nodes[node.number]?.sent.removeValue(forKey: ticket) else {
                    continue
                }
                publishing.answered(sent.slot)
                pauses.succeeded(sent.slot)
            }
            output.append(event)
        case .publishRefused(let ticket, let rejection):
            refused(ticket: ticket, rejection, by: node, at: now, into: &output)
        case .page(let page):
            if let slot = reads.slot(of: page.ticket) { pauses.succeeded(slot) }
            answered(read: page.ticket, node)
            output.append(event)
        case .pageRefused(let ticket, let rejection):
            if let slot = reads.slot(of: ticket), isElsewhere(slot, rejection, node, at: now) {
                nodes[node.number]?.reads.remove(ticket)
                reads.returned(ticket)
            } else {
                answered(read: ticket, node)
                output.append(event)
            }
        default: output.append(event)
        }
    }

    private mutating func answered(read ticket: UInt64, _ node: StreamNode) {
        nodes[node.number]?.reads.remove(ticket)
        reads.answered(ticket)
    }

    // MARK: Opening

    private mutating func greeted(
        _ node: StreamNode, _ identity: ServerIdentity, at now: Instant,
        into output: inout SessionOutput
    ) {
        nodes[node.number]?.isReady = true
        nodes.absent.succeeded(node.endpoint)
        guard phase == .greeting else { return }
        guard let found = node.session.neighbours?.table, found.servedCount > 0 else {
            phase = .closing
            return output.append(
                .rejected(
                    Rejection(kind: .temporary, message: "no slot of the cluster has a node")))
        }
        table = found
        phase = .open
        refresh.asked(at: now)
        refresh.answered()
        output.append(.learned(table.masters))
        output.append(.ready(identity))
    }

    private mutating func receiveTable(
        _ reply: RESPValue, from node: StreamNode, into output: inout SessionOutput
    ) {
        refresh.answered()
        // A node that has been forgotten by the cluster knows of nothing: the others do.
        guard let new = try? SlotTable(reply, from: node.endpoint), new.servedCount > 0 else {
            return refresh.want()
        }
        if !new.isSame(as: table) { output.append(.learned(new.masters)) }
        table = new
    }

    // MARK: Refusals

    /// True if a refusal says that another node is to be asked, or the same one later.
    private mutating func isElsewhere(
        _ slot: Int, _ rejection: Rejection, _ node: StreamNode, at now: Instant
    ) -> Bool {
        switch ClusterRefusal(Array(rejection.message.utf8), from: node.endpoint) {
        case .moved(let moved, let owner):
            if moved == slot { table.assign(slot, to: owner) }
            pauses.redirected(slot, at: now)
        // A stream that is on its way from one node to another is there in a moment.
        case .ask, .later, .down: pauses.failed(slot, at: now)
        case .other: return false
        }
        refresh.want()
        return true
    }

    private mutating func refused(
        _ topic: Int, _ rejection: Rejection, by node: StreamNode, at now: Instant,
        into output: inout SessionOutput
    ) {
        guard let known = channels.topic(topic) else { return }
        let slot = HashSlot.of(known.name.bytes)
        if isElsewhere(slot, rejection, node, at: now) {
            if channels.leave(known, on: node.outer(.main)) {
                output.append(
                    .interrupted(
                        topics: [topic], "the channel has moved from \(node.endpoint)"))
            } else {
                channels.release([known])
            }
        } else if rejection.kind == .temporary {
            drop(node.number, rejection.message, at: now, into: &output)
        } else {
            _ = channels.remove(known)
            output.append(.subscriptionRefused(topic: topic, rejection))
        }
    }

    private mutating func refused(
        ticket: UInt64, _ rejection: Rejection, by node: StreamNode, at now: Instant,
        into output: inout SessionOutput
    ) {
        guard let sent = nodes[node.number]?.sent.removeValue(forKey: ticket) else { return }
        guard isElsewhere(sent.slot, rejection, node, at: now) else {
            publishing.answered(sent.slot)
            return output.append(.publishRefused(ticket: ticket, rejection))
        }
        let isMoved = rejection.message.hasPrefix("MOVED ")
        if !publishing.returned(sent, isRedirected: isMoved) {
            output.append(
                .publishRefused(
                    ticket: ticket,
                    Rejection(kind: .temporary, message: "the nodes send it in a circle")))
        }
    }

    // MARK: Loss

    /// Goes on without a node: its channels are asked for at the next, where readers go on, and so are readings.
    mutating func drop(
        _ number: Int, _ reason: String, at now: Instant, into output: inout SessionOutput
    ) {
        guard let node = nodes.remove(number) else { return }
        for lane in node.lanes { output.finish(lane) }
        let words = "\(node.endpoint): \(reason)"
        if nodes.absent.failed(node.endpoint, at: now) { output.append(.warned(words)) }
        for (ticket, sent) in node.sent.sorted(by: { $0.key < $1.key }) {
            publishing.answered(sent.slot)
            output.append(.publishLost(ticket: ticket, words))
        }
        for ticket in node.reads.sorted() { reads.returned(ticket) }
        let interrupted = channels.lost(node.outer(.main))
        if !interrupted.isEmpty {
            output.append(.interrupted(topics: interrupted, "the node at \(words)"))
        }
        refresh.want()
        if !nodes.hasReady { end = words }
    }
}
