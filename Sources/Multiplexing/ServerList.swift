package import BroadcasterWire

/// The servers to try: those of the backend's list, those that they have told of, and those that one of them has sent the
/// client to. A pure value.
///
/// A round tries each server of the first two kinds once, beginning with the one that held last. A server that answers "not me,
/// these" puts its own list in front, which lasts until it is used up or a connection has held: after that, the server
/// that knows is asked again, since its answer may be another by then.
package struct ServerList: Hashable, Sendable {
    private let listed: [Endpoint]
    /// The servers that others have told of, and that are not in the list: the list may be as old as the configuration.
    private var learned: [Endpoint] = []
    /// The server to try next, or the one that is tried: a place in `listed`, and behind that in `learned`.
    private var cursor = 0
    /// The servers of this round that have failed.
    private var failed = 0
    /// The servers that the last redirection named and that have not failed, in the order to try.
    private var directed: [Endpoint] = []
    private var hops = 0

    /// Redirections in a row: a sentinel's answer is one, a cluster's another. More of them are a loop.
    package static let longestChain = 5

    /// - Parameter listed: at least one.
    package init(_ listed: [Endpoint]) {
        precondition(!listed.isEmpty, "a list of servers without a server")
        self.listed = listed
    }

    /// The server to try, or that is tried.
    package var current: Endpoint { directed.first ?? known(cursor) }

    private var knownCount: Int { listed.count + learned.count }

    private func known(_ place: Int) -> Endpoint {
        place < listed.count ? listed[place] : learned[place - listed.count]
    }

    /// The servers that this round has still to try, with the current one.
    package var left: Int { max(directed.count, 1) + knownCount - failed - 1 }

    /// True if another one is to be tried before the round is over.
    package var hasNext: Bool { left > 1 }

    /// Goes on to the next server: the current one has failed.
    package mutating func advance() {
        if directed.count > 1 {
            directed.removeFirst()
        } else {
            directed = []
            hops = 0
            cursor = (cursor + 1) % knownCount
            failed += 1
        }
    }

    /// Begins a round with the current server.
    package mutating func beginRound() {
        failed = 0
    }

    /// Follows a redirection. False if it leads nowhere, or the chain is too long to be anything but a loop.
    package mutating func redirect(to endpoints: [Endpoint]) -> Bool {
        guard !endpoints.isEmpty, hops < ServerList.longestChain else { return false }
        hops += 1
        directed = endpoints
        return true
    }

    /// The most servers that are taken from what a server tells: it may be hostile.
    package static let mostLearned = 32

    /// Takes what a server tells of others, in place of what was told before.
    package mutating func learn(_ endpoints: [Endpoint]) {
        let place = known(cursor)
        learned = []
        for endpoint in endpoints where learned.count < ServerList.mostLearned {
            if !listed.contains(endpoint), !learned.contains(endpoint) { learned.append(endpoint) }
        }
        if cursor >= listed.count {
            cursor = learned.firstIndex(of: place).map { listed.count + $0 } ?? 0
        }
    }

    /// The connection to the current server holds.
    package mutating func connected() {
        hops = 0
        failed = 0
    }

    /// The connection is lost: the next attempt asks the server that knows, not the one that it named.
    package mutating func lost() {
        directed = []
        failed = 0
    }
}
