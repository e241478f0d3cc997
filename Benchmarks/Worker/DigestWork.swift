import BroadcasterAuthentication

/// SHA-256 of a long message, and the rounds of PBKDF2 that a login with SCRAM takes.
struct DigestWork {
    private let count: Int
    private let kind: String

    init(_ arguments: WorkerArguments) throws {
        count = try arguments.number("count")
        kind = try arguments.text("kind")
    }

    func run() throws {
        switch kind {
        case "sha256": hash()
        case "pbkdf2": try derive()
        default: throw WorkerError("kind is sha256 or pbkdf2")
        }
    }

    /// Hashes `count` KiB, in messages of 64 KiB.
    private func hash() {
        let message = [UInt8](repeating: 7, count: 65_536)
        let meter = Meter()
        var sum: UInt8 = 0
        for _ in 0..<max(count / 64, 1) { sum ^= SHA256.digest(message)[0] }
        meter.report(messages: max(count / 64, 1) * 64, ["sum": Double(sum)])
    }

    /// Derives by `count` rounds.
    private func derive() throws {
        let meter = Meter()
        var work = PBKDF2(password: Array("secret".utf8), salt: [1, 2, 3, 4], iterations: count)
        guard let key = work.work(rounds: count) else { throw WorkerError("no key") }
        meter.report(messages: count, ["sum": Double(key[0])])
    }
}
