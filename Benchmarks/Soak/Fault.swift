import BroadcasterTestSupport
import BroadcasterTesting

/// A fault of a soak.
enum Fault: String, CaseIterable, Sendable {
    case cut = "cut"
    case repeatedCuts = "three cuts"
    case cutMidway = "cut after some bytes"
    case reset = "reset"
    case halfClose = "half close"
    case silentServer = "nothing from the server"
    case silentClient = "nothing to the server"
    case silence = "nothing either way"
    case slices = "slices"
    case delay = "delay"
    case refusal = "cut and refused"
    case shortFreeze = "SIGSTOP, short"
    case longFreeze = "SIGSTOP, long"
    case restart = "killed and started"
    case expulsion = "expelled"
    case disturbance = "disturbed"
    case burst = "burst"

    /// Returns all of them in a random order, again and again: twenty faults are nearly one of each kind.
    static func sequence(_ count: Int, _ random: inout SeededRandom) -> [Fault] {
        var faults: [Fault] = []
        while faults.count < count { faults += allCases.shuffled(using: &random) }
        return Array(faults.prefix(count))
    }
}
