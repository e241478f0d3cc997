/// Appends fields of Kafka messages, the highest byte first.
extension [UInt8] {
    mutating func appendInt8(_ number: Int8) {
        append(UInt8(bitPattern: number))
    }

    mutating func appendInt16(_ number: Int16) {
        appendBytes(of: UInt64(UInt16(bitPattern: number)), count: 2)
    }

    mutating func appendInt32(_ number: Int32) {
        appendBytes(of: UInt64(UInt32(bitPattern: number)), count: 4)
    }

    mutating func appendInt64(_ number: Int64) {
        appendBytes(of: UInt64(bitPattern: number), count: 8)
    }

    mutating func appendBool(_ value: Bool) {
        append(value ? 1 : 0)
    }

    /// A string with a length of 16 bits before it. The caller knows that it is not longer than that.
    mutating func appendString(_ text: String?) {
        guard let text else { return appendInt16(-1) }
        appendInt16(Int16(clamping: text.utf8.count))
        append(contentsOf: text.utf8.prefix(Int(Int16.max)))
    }

    mutating func appendSizedBytes(_ bytes: [UInt8]) {
        appendInt32(Int32(clamping: bytes.count))
        append(contentsOf: bytes)
    }

    /// The count of an array whose elements follow.
    mutating func appendCount(_ count: Int) {
        appendInt32(Int32(clamping: count))
    }

    /// Writes `number` over the four bytes at `place`.
    mutating func overwriteInt32(_ number: Int32, at place: Int) {
        let bits = UInt32(bitPattern: number)
        for index in 0..<4 {
            self[place + index] = UInt8(truncatingIfNeeded: bits >> UInt32(24 - 8 * index))
        }
    }

    private mutating func appendBytes(of number: UInt64, count: Int) {
        for index in (0..<count).reversed() {
            append(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
        }
    }
}

extension [UInt8] {
    /// Writes `number` over the eight bytes at `place`.
    mutating func overwriteInt64(_ number: Int64, at place: Int) {
        let bits = UInt64(bitPattern: number)
        for index in 0..<8 {
            self[place + index] = UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * index))
        }
    }
}
