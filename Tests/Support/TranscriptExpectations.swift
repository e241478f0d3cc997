@_exported public import BroadcasterTesting
package import BroadcasterWire
package import Testing

extension Transcript {
    package init(named name: String) {
        self.init(name: name, text: Fixtures.text(name))
    }
}

extension TranscriptPlayer {
    /// Plays all steps, and compares the session's output with the recorded one.
    package mutating func play(
        _ transcript: Transcript, feed: Feed, _ location: SourceLocation = #_sourceLocation
    ) {
        let differences = differences(from: transcript, feed: feed)
        #expect(differences == [], sourceLocation: location)
    }

    /// The same, of all steps together.
    ///
    /// - Parameter essence: what counts of the bytes that were sent on a lane.
    package mutating func playAsWhole(
        _ transcript: Transcript, feed: Feed, comparing essence: ([UInt8]) -> [UInt8] = { $0 },
        _ location: SourceLocation = #_sourceLocation
    ) {
        let differences = differencesOfTheWhole(from: transcript, feed: feed, comparing: essence)
        #expect(differences == [], sourceLocation: location)
    }
}

extension PeerInfo {
    /// The other end of a lane in a test.
    package static var test: PeerInfo { .scripted }
}
