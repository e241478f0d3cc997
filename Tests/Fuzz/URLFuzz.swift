import BroadcasterMemory
import BroadcasterPostgres
import BroadcasterRabbitMQ
import BroadcasterRedis
import BroadcasterTestSupport
import BroadcasterWire

/// The texts that an operator writes: URLs and the password file. No peer sends these; they must not trap, and no
/// error may show a password.
enum URLFuzz {
    private static let options = CommonOptions(
        connectTimeout: .seconds(5), publishTimeout: .seconds(5), pingInterval: .seconds(10),
        maximumMessageSize: 1 << 16)

    private static let secret = "secretsecret"

    static func url(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        do throws(ServerURLError) {
            var url = try ServerURL(text)
            var options = options
            try options.take(from: &url.options)
            // The secret must stand once, and in its place: elsewhere it is no secret.
            let hasSecret =
                url.password?.contains(secret) == true && text.ranges(of: secret).count == 1
            for message in refusals(url, options) where hasSecret {
                require(!message.contains(secret), "an error that shows the password")
            }
        } catch {
            require(!error.description.isEmpty, "an error without words")
        }
    }

    private static func refusals(_ url: ServerURL, _ options: CommonOptions) -> [String] {
        var messages: [String] = []
        do throws(ServerURLError) {
            _ = try RedisBackend(url, options: options).makeSession()
        } catch { messages.append(error.description) }
        do throws(ServerURLError) {
            _ = try PostgresBackend(url, options: options, environment: .empty).makeSession()
        } catch { messages.append(error.description) }
        do throws(ServerURLError) {
            _ = try RabbitMQBackend(url, options: options).makeSession()
        } catch { messages.append(error.description) }
        do throws(ServerURLError) {
            _ = try MemoryBackend(url, options: options, environment: .empty)
        } catch { messages.append(error.description) }
        return messages
    }

    /// A password that is written wrongly: nothing that is printed has a piece of it, and none is taken for a host.
    static func secret(_ bytes: [UInt8]) {
        let secret = SecretURL(bytes)
        var messages: [String] = []
        do throws(ServerURLError) {
            var url = try ServerURL(secret.text)
            var options = options
            if secret.hasHost { messages += hosts(url) }
            do throws(ServerURLError) { try options.take(from: &url.options) } catch {
                messages.append(error.description)
            }
            messages += refusals(url, options) + [url.show(SecretURL.mark)]
        } catch { messages.append(error.description) }
        for message in messages {
            require(
                !SecretURL.isShown(in: message), "\(secret.text) shows its password: \(message)")
        }
    }

    private static func hosts(_ url: ServerURL) -> [String] {
        let postgres = (try? PostgresURL(url, environment: .empty))?.endpoints ?? []
        let redis = (try? RedisURL(url)).map { [$0.endpoint] } ?? []
        let rabbit = (try? RabbitMQURL(url))?.endpoints ?? []
        return (postgres + redis + rabbit).map(\.description)
    }

    static let secretSeeds: [[UInt8]] =
        (0..<12).map { [$0, $0 % 4, $0] } + (0..<42).map { [0, 0, 0, $0] }

    static func passwordFile(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        let environment = ServerEnvironment(
            variable: { _ in nil },
            file: { _ in ServerEnvironment.File(text: text, permissions: 0o600) }, userName: "me")
        guard let text = try? ServerURL("postgres://user@localhost/db?passfile=/f"),
            let url = try? PostgresURL(text, environment: environment)
        else { return }
        for endpoint in url.endpoints { _ = url.password(for: endpoint, in: environment) }
    }

    static let seeds = [
        "redis://:secretsecret@[::1]:6379/3?protocol=2&ping=500ms", "redis+unix:///run/redis.sock",
        "postgres://u:p%40secretsecret@a:1,b:2/db?target_session_attrs=any&options=-c%20x%3dy",
        "postgresql:///db?host=/run/postgresql&sslmode=prefer&large_payloads=refuse", "memory://",
        "amqp://u:secretsecret@a:1,[::1]:2/v%2Fh?heartbeat=5&frame_max=8192&exchange=amq.topic",
        "rediss://h?ssl_ca_certs=/a&ssl_cert_reqs=none&ssl_min_version=771",
        "postgres://h?sslmode=verify-full&sslrootcert=system&channel_binding=require",
    ].map { Array($0.utf8) }
}
