/// A subscription in the table: its number and its mailbox.
package struct Subscriber: Sendable {
    package let id: Int
    package let mailbox: Mailbox
}

/// The subscribers of one topic, in the order in which they came.
///
/// Most topics have one, which is stored beside the topic: with messages to random ones of thousands, each access to
/// another place in memory is a wait.
package struct SubscriberList: Sendable {
    private var first: Subscriber?
    private var others: [Subscriber] = []

    package var isEmpty: Bool { first == nil }
    /// The number of the subscriber that came last.
    var last: Int? { others.last?.id ?? first?.id }
    func contains(_ id: Int) -> Bool {
        first?.id == id || others.contains { $0.id == id }
    }
    package var count: Int { first == nil ? 0 : others.count + 1 }

    mutating func append(_ subscriber: Subscriber) {
        if first == nil { first = subscriber } else { others.append(subscriber) }
    }

    mutating func remove(_ id: Int) {
        if first?.id == id {
            first = others.isEmpty ? nil : others.removeFirst()
        } else {
            others.removeAll { $0.id == id }
        }
    }

    package func forEach(_ body: (Subscriber) -> Void) {
        guard let first else { return }
        body(first)
        for subscriber in others { body(subscriber) }
    }

    package func compactMap<Result>(_ transform: (Subscriber) -> Result?) -> [Result] {
        var results: [Result] = []
        forEach { subscriber in
            if let result = transform(subscriber) { results.append(result) }
        }
        return results
    }
}
