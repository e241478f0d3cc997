/// The numbers of RESP, read strictly: no blank, nothing left over, no overflow.
enum RESPNumber {
    static func integer(_ text: [UInt8]) -> Int64? {
        var digits = text[...]
        let isNegative = digits.first == UInt8(ascii: "-")
        if isNegative || digits.first == UInt8(ascii: "+") { digits.removeFirst() }
        guard !digits.isEmpty else { return nil }
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            // Downwards, since Int64.min has no positive counterpart.
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, more) = product.subtractingReportingOverflow(
                Int64(digit - UInt8(ascii: "0")))
            if overflow || more { return nil }
            value = sum
        }
        if isNegative { return value }
        return value == .min ? nil : -value
    }

    static func double(_ bytes: [UInt8]) -> Double? {
        let text = String(decoding: bytes, as: UTF8.self)
        switch text {
        case "inf", "+inf": return .infinity
        case "-inf": return -.infinity
        case "nan", "-nan": return .nan
        default:
            // Double's own parser also takes hexadecimal and names.
            let isPlain = bytes.allSatisfy { "0123456789+-.eE".utf8.contains($0) }
            return isPlain ? Double(text) : nil
        }
    }

    /// A sign and at least one digit.
    static func isBig(_ text: [UInt8]) -> Bool {
        let digits =
            text.first.map { "+-".utf8.contains($0) } == true ? text.dropFirst() : text[...]
        return !digits.isEmpty
            && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
