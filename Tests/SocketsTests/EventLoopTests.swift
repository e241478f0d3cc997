import BroadcasterTestSupport
import Glibc
import Synchronization
import Testing

@testable import BroadcasterSockets

/// An actor on the loop, entered as the runner is.
private actor Resident {
    nonisolated let loop: EventLoop
    private(set) var visits = 0

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    func visit() -> Bool {
        visits += 1
        return loop.isCurrentThread
    }
}

/// An actor that notices when two threads are inside of it.
private actor Lonely {
    nonisolated let loop: EventLoop
    private let inside = Atomic<Int>(0)
    private(set) var collisions = 0

    init(_ loop: EventLoop) {
        self.loop = loop
    }

    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    func enter() {
        if inside.add(1, ordering: .relaxed).newValue > 1 { collisions += 1 }
        for _ in 0..<3000 { _ = inside.load(ordering: .relaxed) }
        inside.subtract(1, ordering: .relaxed)
    }
}

struct EventLoopTests {
    private func pair() throws -> (Socket, Socket) {
        var numbers: [Int32] = [0, 0]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, type, 0, &numbers) == 0 else {
            throw SocketError("socketpair", code: errno)
        }
        return (
            Socket(owning: FileDescriptor(owning: numbers[0])),
            Socket(owning: FileDescriptor(owning: numbers[1]))
        )
    }

    @Test func workRunsInOrderOnTheLoop() async throws {
        let loop = try EventLoop(name: "test")
        defer { loop.stop() }
        let (numbers, continuation) = AsyncStream<Int>.makeStream()
        for number in 0..<1000 {
            loop.execute {
                #expect(loop.isCurrentThread)
                continuation.yield(number)
                if number == 999 { continuation.finish() }
            }
        }
        var seen: [Int] = []
        for await number in numbers { seen.append(number) }
        #expect(seen == Array(0..<1000))
        #expect(!loop.isCurrentThread)
    }

    /// Its jobs are still run then, by the threads that bring them.
    @Test func anActorOfAStoppedLoopIsEnteredByOneThreadAtATime() async throws {
        let loop = try EventLoop(name: "test")
        let actor = Lonely(loop)
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<2000 {
                group.addTask { await actor.enter() }
                if number == 20 { loop.stop() }
            }
        }
        #expect(await actor.collisions == 0)
    }

    @Test func anActorLivesOnTheLoop() async throws {
        let loop = try EventLoop(name: "test")
        defer { loop.stop() }
        let resident = Resident(loop)
        #expect(await resident.visit())
        await withCheckedContinuation { continuation in
            loop.execute {
                let isThere = resident.assumeIsolated { $0.visit() }
                #expect(isThere)
                continuation.resume()
            }
        }
        #expect(await resident.visits == 2)
    }

    /// Run in place, as an actor's job is, this many jobs would be this many frames of the stack.
    @Test func aTaskLivesOnTheLoopAndGoesOnAfterIt() async throws {
        let loop = try EventLoop(name: "test")
        await withTaskExecutorPreference(LoopTaskExecutor(loop)) {
            #expect(loop.isCurrentThread)
            await Task.yield()
            #expect(loop.isCurrentThread)
            loop.stop()
            for _ in 0..<100_000 { await Task.yield() }
            #expect(!loop.isCurrentThread)
        }
    }

    @Test func timersFireAfterTheirTimeAndInOrder() async throws {
        let loop = try EventLoop(name: "test")
        defer { loop.stop() }
        let start = ContinuousClock.now
        let (numbers, continuation) = AsyncStream<Int>.makeStream()
        _ = loop.schedule(at: start + .milliseconds(20)) {
            #expect(ContinuousClock.now >= start + .milliseconds(20))
            continuation.yield(2)
            continuation.finish()
        }
        _ = loop.schedule(at: start + .milliseconds(5)) { continuation.yield(1) }
        let cancelled = loop.schedule(at: start + .milliseconds(10)) { continuation.yield(9) }
        loop.cancel(cancelled)
        var seen: [Int] = []
        for await number in numbers { seen.append(number) }
        #expect(seen == [1, 2])
    }

    @Test func workAfterTheStopIsRefused() async throws {
        let loop = try EventLoop(name: "test")
        loop.stop()
        while loop.execute({}) { await Task.yield() }
        #expect(!loop.execute { Issue.record("ran after the stop") })
    }

    @Test func bytesComeThrough() async throws {
        let loop = try EventLoop(name: "test")
        defer { loop.stop() }
        let (one, other) = try pair()
        let (pieces, continuation) = AsyncStream<[UInt8]>.makeStream()
        _ = try loop.watch(one, for: .readable) { _ in
            var bytes: [UInt8] = []
            _ = try? one.read(to: &bytes, limit: 100)
            continuation.yield(bytes)
        }
        #expect(try other.write([1, 2, 3], from: 0) == 3)
        for await bytes in pieces {
            #expect(bytes == [1, 2, 3])
            break
        }
    }

    /// An event that was read before its socket was closed, for a descriptor number in use again.
    @Test func aStaleEventReachesNobody() async throws {
        let loop = try EventLoop(name: "test")
        defer { loop.stop() }
        let (first, firstPeer) = try pair()
        let (second, secondPeer) = try pair()
        let calls = Mutex<[String]>([])
        await withCheckedContinuation { continuation in
            loop.execute {
                // Both are readable in one wait; the first handler removes the other.
                let registrations = Mutex<[EventLoop.Registration]>([])
                func watch(_ socket: Socket, _ name: String) {
                    let registration = try? loop.watch(socket, for: .readable) { _ in
                        calls.withLock { $0.append(name) }
                        for registration in registrations.withLock({ $0 }) {
                            loop.unwatch(registration)
                        }
                    }
                    if let registration { registrations.withLock { $0.append(registration) } }
                }
                _ = try? firstPeer.write([1], from: 0)
                _ = try? secondPeer.write([1], from: 0)
                watch(first, "first")
                watch(second, "second")
                _ = loop.schedule(at: .now + .milliseconds(20)) { continuation.resume() }
            }
        }
        #expect(calls.withLock { $0.count } == 1)
    }

    @Test func aFullSocketTakesAPartAndNoSignalComes() throws {
        let (one, other) = try pair()
        let bytes = [UInt8](repeating: 7, count: 4 << 20)
        let taken = try one.write(bytes, from: 0)
        #expect(taken > 0 && taken < bytes.count)
        #expect(try one.write(bytes, from: taken) == 0)
        _ = consume other
        #expect(throws: SocketError.self) { try one.write(bytes, from: 0) }
    }
}
