import BroadcasterRabbitMQ
import BroadcasterTestSupport
import BroadcasterWire

/// Frames, methods and field tables: what is read and written again is read as the same.
enum AMQPFuzz {
    static func run(_ bytes: [UInt8]) {
        var start = 0
        do throws(ProtocolError) {
            while let frame = try AMQPFrame.next(
                in: bytes.span, at: start, limit: AMQPFrame.usualLimit)
            {
                require(frame.end > start && frame.end <= bytes.count, "a frame without bounds")
                start = frame.end
                if frame.kind == .header { _ = try? ContentHeader(bytes[frame.payload]) }
                guard frame.kind == .method else { continue }
                let method = try AMQPMethod(bytes[frame.payload])
                var written: [UInt8] = []
                method.append(on: frame.channel, to: &written)
                guard let again = try AMQPFrame.next(in: written.span, at: 0, limit: 1 << 20) else {
                    return require(false, "a method that is written as no frame")
                }
                let second = try? AMQPMethod(written[again.payload])
                require(second?.id == method.id, "a method that is read as another one")
            }
        } catch {
            require(!error.description.isEmpty, "an error without words")
        }
    }

    static let seeds: [[UInt8]] = SessionFuzz.rabbitmq.recordings.map { $0.flatMap(\.bytes) }
}
