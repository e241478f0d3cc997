/// Deflate (RFC 1951), decoded code by code.
struct Inflater {
    private(set) var output: [UInt8] = []
    private let limit: Int
    private var place = 0
    private var end = 0
    private var bits: UInt32 = 0
    private var bitCount: UInt32 = 0

    init(limit: Int) {
        self.limit = limit
    }

    mutating func inflate(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(RecordFault) {
        (place, end) = (range.lowerBound, range.upperBound)
        var isLast = false
        while !isLast {
            isLast = try take(1, bytes) == 1
            switch try take(2, bytes) {
            case 0: try stored(bytes)
            case 1: try compressed(bytes, Inflater.fixedLiterals, Inflater.fixedDistances)
            case 2:
                let (literals, distances) = try codes(bytes)
                try compressed(bytes, literals, distances)
            default: throw RecordFault("a block of no known type")
            }
        }
    }

    // MARK: Bits

    private mutating func take(
        _ count: UInt32, _ bytes: Span<UInt8>
    ) throws(RecordFault) -> Int {
        while bitCount < count {
            guard place < end else { throw RecordFault("the data is cut") }
            bits |= UInt32(bytes[place]) << bitCount
            place += 1
            bitCount += 8
        }
        let value = bits & ((1 << count) - 1)
        bits >>= count
        bitCount -= count
        return Int(value)
    }

    /// Canonical Huffman codes: the number of codes of each length, and the symbols in their order.
    private struct Code {
        var counts = [Int](repeating: 0, count: 16)
        var symbols: [Int] = []

        init(lengths: ArraySlice<Int>) throws(RecordFault) {
            for length in lengths { counts[length] += 1 }
            var left = 1
            for length in 1...15 {
                left = left << 1 - counts[length]
                if left < 0 { throw RecordFault("too many codes") }
            }
            var offsets = [Int](repeating: 0, count: 16)
            for length in 1..<15 { offsets[length + 1] = offsets[length] + counts[length] }
            symbols = [Int](repeating: 0, count: lengths.count)
            for (symbol, length) in lengths.enumerated() where length > 0 {
                symbols[offsets[length]] = symbol
                offsets[length] += 1
            }
            counts[0] = 0
        }

        /// Codes that a specification gives.
        init(fixed lengths: [Int]) {
            self = (try? Code(lengths: lengths[...])) ?? Code()
        }

        private init() {}
    }

    private mutating func symbol(
        _ code: Code, _ bytes: Span<UInt8>
    ) throws(RecordFault) -> Int {
        var (value, first, index) = (0, 0, 0)
        for length in 1...15 {
            value |= try take(1, bytes)
            let count = code.counts[length]
            if value - first < count { return code.symbols[index + value - first] }
            index += count
            first = (first + count) << 1
            value <<= 1
        }
        throw RecordFault("a code of no symbol")
    }

    // MARK: Blocks

    private mutating func stored(_ bytes: Span<UInt8>) throws(RecordFault) {
        // Whole bytes that were read ahead go back.
        place -= Int(bitCount / 8)
        (bits, bitCount) = (0, 0)
        guard end - place >= 4 else { throw RecordFault("the data is cut") }
        let count = Int(bytes[place]) | Int(bytes[place + 1]) << 8
        let check = Int(bytes[place + 2]) | Int(bytes[place + 3]) << 8
        place += 4
        guard count == ~check & 0xffff, count <= end - place else {
            throw RecordFault("a stored block's length is wrong")
        }
        guard count <= limit - output.count else { throw tooMuch }
        for index in place..<place + count { output.append(bytes[index]) }
        place += count
    }

    private var tooMuch: RecordFault { RecordFault("more than \(limit) bytes") }

    private mutating func compressed(
        _ bytes: Span<UInt8>, _ literals: Code, _ distances: Code
    ) throws(RecordFault) {
        while true {
            let symbol = try symbol(literals, bytes)
            if symbol == 256 { return }
            guard output.count < limit else { throw tooMuch }
            if symbol < 256 {
                output.append(UInt8(symbol))
                continue
            }
            guard symbol - 257 < Inflater.lengths.count else { throw RecordFault("no such length") }
            let (base, extra) = Inflater.lengths[symbol - 257]
            let count = base + (try take(UInt32(extra), bytes))
            let number = try self.symbol(distances, bytes)
            guard number < Inflater.distances.count else { throw RecordFault("no such distance") }
            let (start, more) = Inflater.distances[number]
            let distance = start + (try take(UInt32(more), bytes))
            guard distance <= output.count else { throw RecordFault("a copy does not fit") }
            guard count <= limit - output.count else { throw tooMuch }
            for _ in 0..<count { output.append(output[output.count - distance]) }
        }
    }

    /// Reads the codes that stand before a block's data.
    private mutating func codes(
        _ bytes: Span<UInt8>
    ) throws(RecordFault) -> (literals: Code, distances: Code) {
        let literalCount = try take(5, bytes) + 257
        let distanceCount = try take(5, bytes) + 1
        let lengthCount = try take(4, bytes) + 4
        guard literalCount <= 286, distanceCount <= 30 else { throw RecordFault("too many codes") }
        var lengths = [Int](repeating: 0, count: 19)
        for index in 0..<lengthCount { lengths[Inflater.order[index]] = try take(3, bytes) }
        let lengthCode = try Code(lengths: lengths[...])
        lengths = []
        while lengths.count < literalCount + distanceCount {
            let symbol = try symbol(lengthCode, bytes)
            switch symbol {
            case 0...15: lengths.append(symbol)
            case 16:
                guard let last = lengths.last else { throw RecordFault("nothing to repeat") }
                lengths += repeatElement(last, count: 3 + (try take(2, bytes)))
            case 17: lengths += repeatElement(0, count: 3 + (try take(3, bytes)))
            default: lengths += repeatElement(0, count: 11 + (try take(7, bytes)))
            }
        }
        guard lengths.count == literalCount + distanceCount, lengths[256] > 0 else {
            throw RecordFault("the codes do not add up")
        }
        return (
            try Code(lengths: lengths[..<literalCount]), try Code(lengths: lengths[literalCount...])
        )
    }

    // MARK: Tables of RFC 1951

    private static let order = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ]
    private static let fixedLiterals = Code(
        fixed: Array(repeating: 8, count: 144) + Array(repeating: 9, count: 112)
            + Array(repeating: 7, count: 24) + Array(repeating: 8, count: 8))
    private static let fixedDistances = Code(fixed: Array(repeating: 5, count: 30))

    /// The least value of each code, and the extra bits that follow.
    private static let lengths: [(Int, Int)] = {
        var table = (0..<8).map { ($0 + 3, 0) }
        var base = 11
        for extra in 1...5 {
            for _ in 0..<4 {
                table.append((base, extra))
                base += 1 << extra
            }
        }
        return table + [(258, 0)]
    }()
    private static let distances: [(Int, Int)] = {
        var table = (0..<4).map { ($0 + 1, 0) }
        var base = 5
        for extra in 1...13 {
            for _ in 0..<2 {
                table.append((base, extra))
                base += 1 << extra
            }
        }
        return table
    }()
}
