import BroadcasterRedis
import BroadcasterWire

private let options = CommonOptions(
    connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
    maximumMessageSize: 64 << 20)

/// A session of Redis, with the random characters of its probe given.
func redisSession(
    _ url: String, nonce: String = "abcdefghijklmnopqrstuvwx"
) throws -> any Session {
    try RedisBackend(try ServerURL(url), options: options).makeSession(nonce: nonce)
}
