extension Duration {
    /// The whole milliseconds, as Kafka counts time.
    var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
