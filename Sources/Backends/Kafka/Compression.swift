import BroadcasterWire

/// Decompresses the records of a batch. Each codec is a small pure value, so that one program runs everywhere; a topic
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
        case .none, .zstd, .unknown: throw RecordFault("which is not known here")
        }
    }
}
