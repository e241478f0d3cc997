import BroadcasterRedis
import BroadcasterWire

/// The RESP decoder gives the same values, and fails at the same place, however the bytes are cut.
enum RESPFuzz {
    static func run(_ bytes: [UInt8]) {
        let whole = decode([bytes])
        let single = decode(bytes.map { [$0] })
        // Compared as texts, since NaN equals nothing.
        require(
            "\(whole.values)" == "\(single.values)", "whole and byte by byte give different values")
        require(whole.failed == single.failed, "only one of two feeds failed")
    }

    private static func decode(_ pieces: [[UInt8]]) -> (values: [RESPValue], failed: Bool) {
        var decoder = RESPDecoder(limits: RESPDecoder.Limits(stringLength: 1 << 16))
        var buffer = ReceiveBuffer()
        var values: [RESPValue] = []
        do throws(ProtocolError) {
            for piece in pieces {
                buffer.append(piece)
                while let value = try decoder.next(&buffer) { values.append(value) }
            }
            return (values, false)
        } catch {
            require(!error.description.isEmpty, "an error without words")
            return (values, true)
        }
    }

    static let seeds = [
        "%2\r\n+a\r\n:1\r\n$1\r\nb\r\n_\r\n", "|1\r\n+k\r\n+v\r\n*1\r\n#t\r\n", ",1.5e3\r\n",
        "(123456789012345678901234567890\r\n", "=7\r\ntxt:abc\r\n", "!5\r\nERR x\r\n",
        "~1\r\n,nan\r\n",
        "$?\r\n;3\r\nabc\r\n;0\r\n", "*?\r\n:1\r\n.\r\n", "%?\r\n+a\r\n:1\r\n.\r\n",
        "*-1\r\n$-1\r\n",
    ].map { Array($0.utf8) }
}
