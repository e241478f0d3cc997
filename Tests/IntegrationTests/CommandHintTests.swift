import BroadcasterTestSupport
import BroadcasterTesting
import Testing

/// What the command says when a server refuses: "later" is 75, "never" is 77, and the hint fits the case.
@Suite(.takesTurns, .serialized, .timeLimit(.minutes(5)))
struct CommandHintTests {
    /// An ErrorResponse in its frame.
    private static func refusal(_ code: String, _ text: String) -> [UInt8] {
        let body = Array("SFATAL\0VFATAL\0C\(code)\0M\(text)\0\0".utf8)
        let length = body.count + 4
        return [UInt8(ascii: "E"), 0, 0, UInt8(length >> 8), UInt8(length & 0xff)] + body
    }

    private func end(
        of command: [String], _ answer: [UInt8], scheme: String = "postgres"
    ) async throws -> (status: Int32, last: String) {
        let server = try ScriptedServer { happening, client in
            guard case .received = happening else { return }
            client.send(answer)
            client.close()
        }
        let url = "\(scheme)://u:p@127.0.0.1:\(server.port)?connect_timeout=300ms"
        let process = try ServerProcess([Programs.broadcast] + command + ["--url", url])
        process.closeInput()
        let lines = await process.remainingLines()
        return (await process.waitForExit(), lines.last ?? "")
    }

    @Test(arguments: [
        // Never.
        ("08P01", "SSL required", 77, "write sslmode=require"),
        ("08P01", "unsupported startup parameter: options", 77, "unsupported startup parameter"),
        ("3D000", "database \"d\" does not exist", 77, "does not exist"),
        (
            "28P01", "password authentication failed for user \"u\"", 77,
            "check the user and password"
        ),
        ("28000", "no pg_hba.conf entry for host \"h\", no encryption", 77, "TLS"),
        ("28000", "Peer authentication failed for user \"u\"", 77, "operating system"),
        (
            "28000", "GSSAPI authentication failed for user \"u\"", 77,
            "something else than a password"
        ),
        // Later.
        ("53300", "sorry, too many clients already", 75, "too many clients"),
        ("57P03", "the database system is starting up", 75, "starting up"),
        ("08P01", "no more connections allowed (max_client_conn)", 75, "no more connections"),
    ])
    func statusAndHintFitTheRefusal(
        code: String, text: String, status: Int, part: String
    ) async throws {
        for command in [["ping"], ["subscribe", "c"], ["publish", "c", "x"]] {
            let ended = try await end(of: command, CommandHintTests.refusal(code, text))
            #expect(ended.status == status, "\(ended)")
            #expect(ended.last.contains(part), "\(ended)")
            #expect(!ended.last.contains("slow or stuck"), "\(ended)")
            #expect(
                ended.last.contains("check the user and password") == (code == "28P01"), "\(ended)")
        }
    }

    /// A postmaster that cannot fork.
    @Test func anErrorBeforeTheProtocolIsShown() async throws {
        let ended = try await end(of: ["ping"], Array("Ecould not fork new process\n\0".utf8))
        #expect(ended.status == 75)
        #expect(ended.last.contains("could not fork new process"), "\(ended)")
    }

    @Test(arguments: ["redis", "postgres"])
    func aConnectionThatEndsIsNoServerThatIsNotThere(scheme: String) async throws {
        let ended = try await end(of: ["ping"], [], scheme: scheme)
        #expect(ended.status == 69)
        #expect(ended.last.contains("connection lost"), "\(ended)")
        #expect(!ended.last.contains("is the server running"), "\(ended)")
    }

    /// Silence: there is no reason to tell, and `ping` does not send its caller to `ping`.
    @Test func aPingThatGetsNoAnswerDoesNotAdvisePing() async throws {
        let server = try ScriptedServer { _, _ in }
        let process = try ServerProcess([
            Programs.broadcast, "ping", "--url",
            "redis://127.0.0.1:\(server.port)?connect_timeout=100ms",
        ])
        let lines = await process.remainingLines()
        #expect(await process.waitForExit() == 75)
        #expect(lines.last?.contains("broadcast ping") == false, "\(lines)")
        #expect(lines.last?.contains("slow or stuck") == true, "\(lines)")
    }
}
