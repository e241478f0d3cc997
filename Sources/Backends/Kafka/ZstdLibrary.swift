import BroadcasterWire
internal import Glibc

/// The system's libzstd, opened when a batch needs it: nearly every server has it, and its format is many times the
/// others' work. All unsafe code of this module stands in this file; the signatures are those of `zstd.h`, alike in 1.3
/// to 1.5.
@safe final class ZstdLibrary: Sendable {
    private typealias Stream = OpaquePointer
    private typealias Create = @Sendable @convention(c) () -> Stream?
    private typealias Free = @Sendable @convention(c) (Stream?) -> Int
    /// Its last two arguments are a `ZSTD_outBuffer` and a `ZSTD_inBuffer`: an address, a size, and the place in it.
    private typealias Decompress =
        @Sendable @convention(c) (
            Stream?, UnsafeMutablePointer<UInt>, UnsafeMutablePointer<UInt>
        ) -> Int
    private typealias IsError = @Sendable @convention(c) (Int) -> CUnsignedInt

    /// nil where there is none.
    static let shared = ZstdLibrary("libzstd.so.1")

    private let create: Create
    private let free: Free
    private let decompress: Decompress
    private let isError: IsError

    private init?(_ name: String) {
        guard let handle = unsafe dlopen(name, RTLD_NOW | RTLD_LOCAL),
            let create = unsafe dlsym(handle, "ZSTD_createDStream"),
            let free = unsafe dlsym(handle, "ZSTD_freeDStream"),
            let decompress = unsafe dlsym(handle, "ZSTD_decompressStream"),
            let isError = unsafe dlsym(handle, "ZSTD_isError")
        else { return nil }
        unsafe (self.create = unsafeBitCast(create, to: Create.self))
        unsafe (self.free = unsafeBitCast(free, to: Free.self))
        unsafe (self.decompress = unsafeBitCast(decompress, to: Decompress.self))
        self.isError = unsafe unsafeBitCast(isError, to: IsError.self)
    }

    /// Bytes that come out at a time.
    private static let step = 128 << 10

    /// Decompresses frames that stand one behind the other. The library itself refuses windows of more than 128 MiB.
    ///
    /// - Parameter limit: the most bytes that may come out.
    func decode(
        _ bytes: Span<UInt8>, _ range: Range<Int>, limit: Int
    ) throws(RecordFault) -> [UInt8] {
        guard let stream = unsafe create() else { throw RecordFault("no memory for zstd") }
        defer { _ = unsafe free(stream) }
        var input: [UInt8] = []
        input.append(bytes, range)
        var output: [UInt8] = []
        var consumed = 0
        while true {
            let before = consumed
            let piece = unsafe try decode(stream, &input, &consumed)
            guard output.count + piece.bytes.count <= limit else {
                throw RecordFault("more than \(limit) bytes come out")
            }
            output += piece.bytes
            if consumed == input.count, piece.bytes.count < ZstdLibrary.step {
                // 0: a frame is whole, and nothing of it waits.
                guard piece.isWhole else { throw RecordFault("zstd data is cut") }
                return output
            }
            guard consumed > before || !piece.bytes.isEmpty else {
                throw RecordFault("zstd makes no progress")
            }
        }
    }

    private func decode(
        _ stream: OpaquePointer, _ input: inout [UInt8], _ consumed: inout Int
    ) throws(RecordFault) -> (bytes: [UInt8], isWhole: Bool) {
        var result = 0
        var place = consumed
        let piece = unsafe [UInt8](unsafeUninitializedCapacity: ZstdLibrary.step) { space, count in
            unsafe input.withUnsafeMutableBytes { given in
                var from = [UInt(bitPattern: given.baseAddress), UInt(given.count), UInt(place)]
                var to = [UInt(bitPattern: space.baseAddress), UInt(ZstdLibrary.step), 0]
                result = unsafe decompress(stream, &to, &from)
                (place, count) = (Int(from[2]), Int(to[2]))
            }
        }
        if isError(result) != 0 { throw RecordFault("zstd data is broken") }
        consumed = place
        return (piece, result == 0)
    }
}
