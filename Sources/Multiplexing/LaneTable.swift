import BroadcasterWire

/// Values by lane. The main lane's stands apart: most sessions have no other, and each read and write looks there.
struct LaneTable<Value> {
    private var main: Value?
    private var others: [Lane: Value] = [:]

    init() {}

    var isEmpty: Bool { main == nil && others.isEmpty }

    subscript(lane: Lane) -> Value? {
        get { lane == .main ? main : others[lane] }
        _modify {
            if lane == .main {
                yield &main
            } else {
                yield &others[lane]
            }
        }
    }

    /// The lanes that have a value.
    var lanes: [Lane] {
        main == nil ? Array(others.keys) : [.main] + others.keys
    }

    func forEach(_ body: (Lane, Value) -> Void) {
        if let main { body(.main, main) }
        for (lane, value) in others { body(lane, value) }
    }
}

extension LaneTable: Sendable where Value: Sendable {}
