/// SASLprep (RFC 4013), the preparation of a password before it is hashed.
///
/// Of its normalization, NFKC, this covers the compatibility characters of Latin-1, superscripts, Roman numerals,
/// ligatures, circled and full-width letters. Not covered: composing a letter and a combining mark (keyboards do),
/// Hangul Jamo, and rarer compatibility characters; these stay as they are, and the user must type a password with
/// them here as it was when it was set.
package enum SASLprep {
    /// Prepares a text; nil if it is prohibited, and Postgres then takes the text as it is.
    package static func prepare(_ text: String) -> String? {
        if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return text }
        var prepared = String.UnicodeScalarView()
        for scalar in text.unicodeScalars where !isMappedToNothing(scalar.value) {
            if isSpace(scalar.value) {
                prepared.append(" ")
            } else {
                prepared.append(contentsOf: compatible(scalar))
            }
        }
        let isAllowed = prepared.allSatisfy { !isProhibited($0) } && isOneDirection(prepared)
        return isAllowed ? String(prepared) : nil
    }

    /// RFC 3454 table B.1.
    private static func isMappedToNothing(_ value: UInt32) -> Bool {
        switch value {
        case 0xad, 0x34f, 0x1806, 0x180b...0x180d, 0x200b...0x200d, 0x2060, 0xfe00...0xfe0f, 0xfeff:
            true
        default: false
        }
    }

    /// RFC 3454 table C.1.2.
    private static func isSpace(_ value: UInt32) -> Bool {
        switch value {
        case 0xa0, 0x1680, 0x2000...0x200b, 0x202f, 0x205f, 0x3000: true
        default: false
        }
    }

    private static func compatible(_ scalar: Unicode.Scalar) -> String.UnicodeScalarView {
        let value = scalar.value
        if (0xff01...0xff5e).contains(value), let plain = Unicode.Scalar(value - 0xfee0) {
            return String(Character(plain)).unicodeScalars
        }
        if (0x24b6...0x24e9).contains(value) {
            let letter = value < 0x24d0 ? value - 0x24b6 + 0x41 : value - 0x24d0 + 0x61
            return Unicode.Scalar(letter).map { String(Character($0)).unicodeScalars } ?? .init()
        }
        return (table[scalar] ?? String(Character(scalar))).unicodeScalars
    }

    private static let table: [Unicode.Scalar: String] = {
        var table: [Unicode.Scalar: String] = [
            "ª": "a", "º": "o", "²": "2", "³": "3", "¹": "1", "µ": "μ", "ſ": "s", "™": "TM",
            "…": "...",
            "¼": "1⁄4", "½": "1⁄2", "¾": "3⁄4", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi",
            "ﬄ": "ffl",
            "ﬅ": "st", "ﬆ": "st", "⁰": "0", "ⁱ": "i", "ⁿ": "n", "Å": "Å", "K": "K", "Ω": "Ω",
        ]
        let numerals = [
            "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII", "L", "C", "D",
            "M",
        ]
        for (index, numeral) in numerals.enumerated() {
            if let upper = Unicode.Scalar(0x2160 + UInt32(index)) { table[upper] = numeral }
            if let lower = Unicode.Scalar(0x2170 + UInt32(index)) {
                table[lower] = numeral.lowercased()
            }
        }
        for digit in 4...9 as ClosedRange<UInt32> {
            if let upper = Unicode.Scalar(0x2070 + digit) { table[upper] = String(digit) }
        }
        for digit in 0...9 as ClosedRange<UInt32> {
            if let lower = Unicode.Scalar(0x2080 + digit) { table[lower] = String(digit) }
        }
        for digit in 1...9 as ClosedRange<UInt32> {
            if let circled = Unicode.Scalar(0x245f + digit) { table[circled] = String(digit) }
        }
        return table
    }()

    /// RFC 3454 tables C.2 to C.9.
    private static func isProhibited(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1f, 0x7f...0x9f, 0x6dd, 0x70f, 0x180e, 0x200c...0x200f, 0x2028...0x202e,
            0x2060...0x2063, 0x206a...0x206f, 0xfeff, 0xfff9...0xffff, 0x1d173...0x1d17a, 0x340,
            0x341,
            0x2ff0...0x2ffb, 0xfdd0...0xfdef, 0xe000...0xf8ff, 0xe0001, 0xe0020...0xe007f,
            0xf0000...0x10ffff:
            true
        default: scalar.value & 0xfffe == 0xfffe
        }
    }

    /// RFC 3454 §6: a text with a letter of a right-to-left script has none of the other kind, and begins and ends
    /// with such a letter.
    private static func isOneDirection(_ text: String.UnicodeScalarView) -> Bool {
        guard text.contains(where: isRightToLeft) else { return true }
        let hasOther = text.contains { $0.properties.isAlphabetic && !isRightToLeft($0) }
        return !hasOther && text.first.map(isRightToLeft) == true
            && text.last.map(isRightToLeft) == true
    }

    private static func isRightToLeft(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x5be, 0x5c0, 0x5c3, 0x5d0...0x5f4, 0x61b...0x64a, 0x66d...0x66f, 0x671...0x6d5,
            0x6dd, 0x6e5, 0x6e6, 0x6fa...0x70d, 0x710, 0x712...0x72c, 0x780...0x7a5, 0x7b1, 0x200f,
            0xfb1d, 0xfb1f...0xfb28, 0xfb2a...0xfdfc, 0xfe70...0xfefc:
            true
        default: false
        }
    }
}
