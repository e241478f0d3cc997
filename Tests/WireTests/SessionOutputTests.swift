import BroadcasterWire
import Testing

struct SessionOutputTests {
    @Test(arguments: [0, 1, 2, 1000, -1, .max])
    func anyLaneTakesBytes(index: Int) {
        let lane = Lane(index: index)
        var output = SessionOutput()
        #expect(output[lane].isEmpty)
        output[lane] += [1, 2]
        output[lane].append(3)
        var drained: [Lane: [UInt8]] = [:]
        output.drainBytes { lane, bytes in
            drained[lane] = bytes
            bytes = []
        }
        #expect(drained == [lane: [1, 2, 3]])
        output.drainBytes { lane, _ in Issue.record("bytes again on \(lane)") }
    }

    @Test func bytesOfALaneThatIsNotOpenStayAndThoseOfALostOneGo() {
        var output = SessionOutput()
        let (one, two) = (Lane(index: 1), Lane(index: 2))
        output[one] = [1]
        output[two] = [2]
        output.discard(one)
        output.drainBytes { lane, _ in #expect(lane == two) }
        #expect(output[one].isEmpty && output[two] == [2])
    }

    @Test func lanesAreAskedForWithOrWithoutAServer() {
        var output = SessionOutput()
        let server = Endpoint.tcp(host: "b", port: 2)
        output.connect(Lane(index: 1))
        output.connect(Lane(index: 2), to: server)
        output.finish(Lane(index: 3))
        let wishes = output.takeConnections()
        #expect(wishes.map(\.lane.index) == [1, 2] && wishes.map(\.endpoint) == [nil, server])
        #expect(output.takeConnections().isEmpty)
        #expect(output.takeFinished() == [Lane(index: 3)])
        #expect(output.takeFinished().isEmpty)
    }
}
