import Broadcaster
import BroadcasterTestSupport
import BroadcasterTesting
import Glibc
import Testing

/// Faults of the client's process: it is stopped, has no descriptor left, is interrupted.
@Suite(
    .takesTurns,
    .enabled(if: Programs.areAvailable(Programs.redis, Programs.redisCLI), "needs redis-server"),
    .serialized, .timeLimit(.minutes(5)))
struct ProcessFaultTests {
    private func subscriber(
        _ server: RedisServer, _ query: String = "", before: [String] = []
    ) async throws -> ServerProcess {
        let process = try ServerProcess(
            before + [
                Programs.broadcast, "subscribe", "--format", "json", "--url",
                "\(server.url)?connect_timeout=60s&\(query)", "--count", "50", "c",
            ])
        #expect(await process.line(containing: "subscribed") != nil)
        return process
    }

    /// A stopped process reads its socket on waking, before it looks at the deadlines that have passed.
    @Test func aStoppedProcessReadsFirstAndLosesNothing() async throws {
        let server = try await RedisServer()
        let process = try await subscriber(server, "ping=500ms")
        await send(SIGSTOP, to: process.identifier)
        for number in 1...50 { _ = try await server.command("PUBLISH", "c", "m\(number)") }
        // The server's own clock: longer than the process may be silent.
        _ = try await server.command("BLPOP", "nothing", "2")
        process.signal(SIGCONT)
        for number in 1...50 {
            let line = await process.line(containing: "{")
            #expect(line?.contains("\"m\(number)\"") == true, "\(line ?? "nothing")")
        }
        #expect(await process.waitForExit() == 0)
    }

    /// Without a descriptor there is no socket; with one again, there is.
    @Test(.enabled(if: Programs.areAvailable("/usr/bin/prlimit"), "needs prlimit"))
    func aProcessWithoutDescriptorsComesBack() async throws {
        let server = try await RedisServer()
        let process = try await subscriber(server)
        func limit(_ number: Int) async throws {
            let tool = try ServerProcess([
                "/usr/bin/prlimit", "--pid", "\(process.identifier)", "--nofile=\(number):4096",
            ])
            _ = await tool.waitForExit()
        }
        try await limit(3)
        _ = try await server.command("CLIENT", "KILL", "TYPE", "pubsub")
        #expect(await process.line(containing: "EMFILE") != nil)
        try await limit(1024)
        #expect(await process.line(containing: "\"gap\"") != nil)
        _ = try await server.command("PUBLISH", "c", "after")
        #expect(await process.line(containing: "after") != nil)
        process.signal(SIGTERM)
        #expect(await process.waitForExit() == 0)
    }

    /// The kernel has no memory for the bytes to send.
    @Test(.enabled(if: Programs.canTrace, "needs strace, and leave to trace"))
    func aConnectionThatTheKernelDoesNotServeIsAGap() async throws {
        let server = try await RedisServer()
        // After HELLO and SUBSCRIBE: the first sign of life.
        let process = try await subscriber(
            server, "ping=500ms",
            before: [
                "strace", "-f", "-qq", "-o", "/dev/null", "-e",
                "inject=sendto:error=ENOBUFS:when=3",
            ])
        #expect(await process.line(containing: "\"gap\"")?.contains("reconnected") == true)
        for number in 1...50 { _ = try await server.command("PUBLISH", "c", "m\(number)") }
        for number in 1...50 {
            #expect(await process.line(containing: "\"m\(number)\"") != nil)
        }
        #expect(await process.waitForExit() == 0)
    }

    /// The wall clock jumps a day forward, and two back.
    @Test(.enabled(if: Programs.areAvailable(Programs.fakeTime), "needs libfaketime"))
    func aWallClockThatJumpsChangesNothing() async throws {
        let server = try await RedisServer()
        let folder = try TemporaryFolder.make()
        defer { TemporaryFolder.remove(folder) }
        let clock = folder + "/clock"
        TemporaryFolder.write("+0\n", to: clock)
        let process = try await subscriber(
            server, "ping=500ms",
            before: [
                "/usr/bin/env", "LD_PRELOAD=\(Programs.fakeTime)", "DONT_FAKE_MONOTONIC=1",
                "FAKETIME_NO_CACHE=1", "FAKETIME_TIMESTAMP_FILE=\(clock)",
                // Otherwise it changes the environment, from which Swift finds the command line.
                "FAKETIME_SHARED=none none",
            ])
        for number in 1...50 {
            if number == 10 { TemporaryFolder.write("+86400\n", to: clock) }
            if number == 30 { TemporaryFolder.write("-86400\n", to: clock) }
            // Longer than the connection may be silent, on the server's clock.
            if number == 20 || number == 40 {
                _ = try await server.command("BLPOP", "nothing", "2")
            }
            _ = try await server.command("PUBLISH", "c", "m\(number)")
            let line = await process.line(containing: "{")
            #expect(line?.contains("\"m\(number)\"") == true, "\(line ?? "nothing")")
        }
        #expect(await process.waitForExit() == 0)
    }

    /// System calls that are interrupted, or take a part, change nothing.
    @Test(
        .enabled(if: Programs.canTrace, "needs strace, and leave to trace"),
        arguments: [
            "inject=recvfrom,sendto,epoll_wait,epoll_pwait:error=EINTR:when=3+3",
            "inject=recvfrom,sendto:error=EAGAIN:when=5+4",
        ])
    func interruptedSystemCallsAreCarriedOn(injection: String) async throws {
        let server = try await RedisServer()
        let process = try await subscriber(
            server, before: ["strace", "-f", "-qq", "-o", "/dev/null", "-e", injection])
        for number in 1...50 { _ = try await server.command("PUBLISH", "c", "m\(number)") }
        for number in 1...50 {
            let line = await process.line(containing: "\"message\"")
            #expect(line?.contains("\"m\(number)\"") == true, "\(line ?? "nothing")")
        }
        #expect(await process.waitForExit() == 0)
    }
}
