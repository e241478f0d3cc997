import Testing

/// Tests that start several servers each, or work a server hard: one after the other, since a machine may have two cores.
@Suite(.serialized) enum SetsOfServers {}
