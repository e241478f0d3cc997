import BroadcasterTestSupport

/// Ways to damage bytes.
enum Mutation {
    static func apply(to bytes: [UInt8], using random: inout SeededRandom) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let end = min(place + Int.random(in: 1...8, using: &random), bytes.count)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.removeSubrange(place..<end)
            case 3: bytes.insert(contentsOf: bytes[place..<end], at: place)
            default:
                let digits = Array("0123456789-:*$%~>|\r\n".utf8)
                bytes[place] = digits.randomElement(using: &random) ?? 0
            }
        }
        return bytes
    }
}
