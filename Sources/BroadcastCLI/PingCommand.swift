import Broadcaster
import BroadcasterChatDemo

/// `broadcast ping`: who answers there, in which protocol, and how fast.
struct PingCommand {
    private let arguments: Arguments

    init(_ words: [Word]) throws {
        arguments = try Arguments(words, valued: ["--url", "--format"], flags: ["--trace"])
        guard arguments.positional.isEmpty else {
            throw Failure(.usage, "ping takes options only; name the server by --url")
        }
    }

    func run() async throws {
        let format = try arguments.format()
        let broadcast = try arguments.broadcast()
        let work = Task {
            try await broadcast.connect()
            return try await broadcast.ping()
        }
        Interruption.handle { work.cancel() }
        let result = await work.result
        let status = broadcast.status
        await broadcast.disconnect()
        let roundTrip: Duration
        do {
            roundTrip = try result.get()
        } catch BroadcastError.cancelled {
            // A signal: the end that was asked for.
            return
        }
        guard case .ready(let server) = status else { return }
        switch format {
        case .text:
            Console.output("server: \(server.product) \(server.version)")
            Console.output("protocol: \(server.protocol)")
            if let security = server.security {
                let verdict = security.isVerified ? "" : ", not verified"
                Console.output("security: \(security.version), \(security.cipher)")
                Console.output(
                    "certificate: \(security.subject), until \(security.expiry)\(verdict)")
            }
            Console.output("round trip: \(microseconds(roundTrip)) µs")
        case .json:
            var line = JSONLine(type: "pong")
            line.add("server", server.product)
            line.add("version", server.version)
            line.add("protocol", server.protocol)
            if let security = server.security {
                line.add("tls", security.version)
                line.add("cipher", security.cipher)
                line.add("certificate", security.subject)
                line.add("expires", security.expiry)
                line.add("verified", security.isVerified ? "yes" : "no")
            }
            line.add("microseconds", microseconds(roundTrip))
            Console.output(line.line)
        }
    }

    private func microseconds(_ duration: Duration) -> Int {
        Int(duration / .microseconds(1))
    }
}
