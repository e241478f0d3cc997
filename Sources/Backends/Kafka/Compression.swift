import BroadcasterWire

/// Decompresses the records of a batch. Each codec but zstd is a small pure value, so that one program runs everywhere; a topic
/// whose `compression.type` is set recompresses also what this client sends.
enum Compression {
    /// - Parameter limit: the most bytes that may come out: few bytes can become very many.
    static func unpack(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ codec: RecordBatch.Codec, limit: Int
    ) throws(RecordFault) -> [UInt8] {
        switch codec {
        case .gzip: return try GzipDecoder.decode(bytes, range, limit: limit)
        case .snappy: return try SnappyDecoder.decode(bytes, range, limit: limit)
        case .lz4: return try LZ4Decoder.decode(bytes, range, limit: limit)
        case .zstd:
            guard let library = ZstdLibrary.shared else {
                throw RecordFault("for which the system has no libzstd.so.1 (package libzstd1)")
            }
            return try library.decode(bytes, range, limit: limit)
        case .none, .unknown: throw RecordFault("which is not known here")
        }
    }
}
