import BroadcasterWire

/// What nodes say.
extension ClusterSession {
    mutating func receive(
        _ buffer: inout ReceiveBuffer, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) throws(ProtocolError) {
        nodes[lane]?.heartbeat.heard()
        while phase != .closing, let isGreeted = nodes[lane]?.isGreeted {
            if isGreeted, nodes[lane]?.decoder.isAtBoundary == true {
                scan(&buffer, lane, into: &output)
            }
            guard let value = try nodes[lane]?.decoder.next(&buffer)?.plain else {
                return proceed(at: now, into: &output)
            }
            if case .push(let items) = value {
                try receivePush(items, on: lane, at: now, into: &output)
            } else if isGreeted {
                try receiveReply(value, on: lane, at: now, into: &output)
            } else if let outcome = try nodes[lane]?.handshake?.received(value, lane, into: &output)
            {
                settle(outcome, on: lane, at: now, into: &output)
            }
        }
        buffer.consume(upTo: buffer.bytes.count)
    }

    /// The fast way for what comes by the million, until there is something else in front.
    private mutating func scan(
        _ buffer: inout ReceiveBuffer, _ lane: Lane, into output: inout SessionOutput
    ) {
        var start: Int
        repeat {
            start = buffer.start
            _ = messages.takeRuns(from: &buffer, .resp3, into: &output)
            scanAnswers(&buffer, lane, into: &output)
        } while buffer.start > start
    }

    private mutating func scanAnswers(
        _ buffer: inout ReceiveBuffer, _ lane: Lane, into output: inout SessionOutput
    ) {
        let received = buffer.bytes
        var position = buffer.start
        while case .publication(let sent)? = nodes[lane]?.expected.first,
            let receivers = AnswerScanner.next(received.span, at: &position)
        {
            _ = nodes[lane]?.expected.removeFirst()
            publishing.answered(sent.slot)
            output.append(published: sent.publication.ticket, receivers: receivers)
        }
        buffer.consume(upTo: position)
    }

    // MARK: Opening

    mutating func settle(
        _ outcome: RedisHandshake.Outcome, on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) {
        switch outcome {
        case .goOn: break
        case .rejected(let rejection) where phase == .open:
            output.finish(lane)
            if drop(lane, rejection.message, at: now, into: &output) == .ended {
                close(rejection, into: &output)
            }
        case .rejected(let rejection): close(rejection, into: &output)
        case .done where nodes[lane]?.handshake?.dialect != .resp3:
            close(ClusterSession.tooOld, into: &output)
        case .done:
            nodes[lane]?.isGreeted = true
            if let endpoint = nodes[lane]?.endpoint { nodes.absent.succeeded(endpoint) }
            if phase == .greeting {
                nodes[lane]?.askForSlots(into: &output)
                refresh.asked(at: now)
            } else {
                proceed(at: now, into: &output)
            }
        }
    }

    private static let tooOld = Rejection(
        kind: .permanent, message: "sharded PUB/SUB needs RESP3, and Redis 7 or Valkey")

    private mutating func close(_ rejection: Rejection, into output: inout SessionOutput) {
        phase = .closing
        output.append(.rejected(rejection))
    }

    private mutating func receiveTable(
        _ value: RESPValue, on lane: Lane, into output: inout SessionOutput
    ) throws(ProtocolError) {
        refresh.answered()
        guard let node = nodes[lane] else { return }
        if let text = value.errorText {
            let rejection = Rejection(redis: text)
            if phase == .greeting {
                let isAlone = ClusterRefusal.isNoCluster(rejection.message)
                close(isAlone ? ClusterRefusal.noCluster : rejection, into: &output)
            }
            return
        }
        let new = try SlotTable(value, from: node.endpoint)
        // A node that has been forgotten by the cluster knows of nothing: the others do.
        guard new.servedCount > 0 else {
            refresh.want()
            if phase == .greeting {
                close(
                    Rejection(kind: .temporary, message: "no slot of the cluster has a node"),
                    into: &output)
            }
            return
        }
        let isChanged = !new.isSame(as: table)
        table = new
        if isChanged { output.append(.learned(table.masters)) }
        if phase == .greeting {
            phase = .open
            output.append(.ready(identity(node)))
        } else if isChanged {
            output.append(.changed(identity(node)))
        }
        leaveMisplaced(into: &output)
    }

    private func identity(_ node: ClusterLane) -> ServerIdentity {
        let version = node.handshake?.version ?? "unknown"
        return ServerIdentity(
            product: node.handshake?.product ?? "redis",
            version: "\(version), a cluster: \(table.summary)", dialect: "RESP3, sharded")
    }

    /// Leaves nodes that are in the cluster and have other slots by now, for channels that they still seem to deliver: a
    /// replica that follows another master says nothing (redis issue 12558). One table may be old: two have to say so.
    private mutating func leaveMisplaced(into output: inout SessionOutput) {
        var suspected: [Int: Lane] = [:]
        for lane in nodes.lanes {
            guard let endpoint = nodes[lane]?.endpoint, table.lists(endpoint) else { continue }
            for slot in channels.slots(on: lane).sorted() {
                guard let owner = table.owner(of: slot), owner != endpoint else { continue }
                guard misplaced[slot] == lane else {
                    suspected[slot] = lane
                    continue
                }
                let topics = channels.leave(slot, on: lane)
                if topics.isEmpty { continue }
                nodes[lane]?.send(
                    ShardRequest(slot: slot, topics: topics, isSubscribing: false), into: &output)
                output.append(
                    .interrupted(
                        topics: topics.map(\.id), "the channel has moved from \(endpoint)"))
            }
        }
        misplaced = suspected
        if !suspected.isEmpty { refresh.want() }
    }

    // MARK: Pushes

    private mutating func receivePush(
        _ items: [RESPValue], on lane: Lane, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        let texts = items.map { $0.plain.text }
        guard let word = texts.first ?? nil else { return }
        switch String(decoding: word.prefix(16), as: UTF8.self) {
        case "smessage":
            guard texts.count == 3, let channel = texts[1], let message = texts[2] else {
                throw ProtocolError(
                    reading: "Redis push", expected: "a channel and a message",
                    found: "\(items.count) values")
            }
            messages.take(message, on: channel, matching: nil, into: &output)
        case "ssubscribe":
            guard texts.count == 3, let name = texts[1] else { return }
            if let topic = channels.confirmed(name, on: lane) {
                pauses.succeeded(HashSlot.of(name))
                output.append(.subscribed(topic: topic))
            }
        case "sunsubscribe":
            guard texts.count == 3, let name = texts[1] else { return }
            if let topic = channels.left(name, on: lane) {
                let place = nodes[lane]?.endpoint.description ?? "its node"
                output.append(.interrupted(topics: [topic], "the channel has moved from \(place)"))
                refresh.want()
            }
        default: break
        }
    }

    // MARK: Replies

    private mutating func receiveReply(
        _ value: RESPValue, on lane: Lane, at now: Instant, into output: inout SessionOutput
    ) throws(ProtocolError) {
        let value = if case .blobError(let text) = value { RESPValue.error(text) } else { value }
        if case .fence(var request)? = nodes[lane]?.expected.first, case .error(let text) = value,
            request.error == nil
        {
            // Its PING is still to be answered.
            request.error = text
            nodes[lane]?.expected.first = .fence(request)
            return
        }
        switch (nodes[lane]?.expected.removeFirst(), value) {
        case (.publication(let sent), .integer(let count)) where count >= 0:
            publishing.answered(sent.slot)
            output.append(published: sent.publication.ticket, receivers: Int(count))
        case (.publication(let sent), .error(let text)):
            refused(sent, text, on: lane, at: now, into: &output)
        case (.asking, .simpleString), (.asking, .error): break
        case (.fence(let request), .simpleString), (.fence(let request), .error):
            fenced(request, on: lane, at: now, into: &output)
        case (.slots, .array), (.slots, .error): try receiveTable(value, on: lane, into: &output)
        case (.pong(let isAsked), .simpleString), (.pong(let isAsked), .error):
            if isAsked { output.append(.answered) }
        case (let expected, _):
            throw ProtocolError(unexpected: value, to: expected?.name)
        }
    }

    /// A node has not published a message: another one is asked, or the same one later.
    private mutating func refused(
        _ sent: ShardPublication, _ text: [UInt8], on lane: Lane, at now: Instant,
        into output: inout SessionOutput
    ) {
        let asked = nodes[lane]?.endpoint ?? url.endpoint
        let refusal = ClusterRefusal(text, from: asked)
        switch refusal {
        case .moved(let slot, let owner):
            if slot == sent.slot { table.assign(slot, to: owner) }
            refresh.want()
        case .ask(let owner) where sent.hops < ShardPublishing.mostHops:
            guard let other = self.lane(to: owner, at: now, into: &output) else {
                pauses.failed(sent.slot, at: now)
                break
            }
            var again = sent
            again.hops += 1
            nodes[other]?.ask(into: &output)
            nodes[other]?.send([again], into: &output)
            return
        case .ask, .later, .down:
            pauses.failed(sent.slot, at: now)
            refresh.want()
        case .other:
            publishing.answered(sent.slot)
            return output.append(
                .publishRefused(ticket: sent.publication.ticket, Rejection(redis: text)))
        }
        let isRedirected = if case .moved = refusal { true } else { false }
        if !publishing.returned(sent, isRedirected: isRedirected) {
            output.append(
                .publishRefused(
                    ticket: sent.publication.ticket,
                    Rejection(kind: .temporary, message: "the nodes send it in a circle")))
        }
    }

    /// All that a command for channels has brought is there.
    private mutating func fenced(
        _ request: ShardRequest, on lane: Lane, at now: Instant, into output: inout SessionOutput
    ) {
        // An error to SUNSUBSCRIBE: they are gone already.
        guard request.isSubscribing else { return }
        let topics = channels.open(request, on: lane)
        if topics.isEmpty { return }
        let asked = nodes[lane]?.endpoint ?? url.endpoint
        let refusal = request.error.map { ClusterRefusal($0, from: asked) } ?? .later
        switch refusal {
        case .other:
            // For one of its channels a whole command is refused: asked one by one, the others come through.
            if topics.count > 1 {
                for topic in topics {
                    nodes[lane]?.send(
                        ShardRequest(slot: request.slot, topics: [topic], isSubscribing: true),
                        into: &output)
                }
            } else if let topic = topics.first, let error = request.error {
                messages.remove(topic)
                _ = channels.remove(topic)
                output.append(.subscriptionRefused(topic: topic.id, Rejection(redis: error)))
            }
            return
        case .moved(let slot, let owner):
            if slot == request.slot { table.assign(slot, to: owner) }
            pauses.redirected(slot, at: now)
            refresh.want()
        case .ask, .later, .down:
            pauses.failed(request.slot, at: now)
            refresh.want()
        }
        channels.release(topics)
    }
}
