// swift-tools-version: 6.1
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// A folder with checkouts of the packages; without it they come from where they are published.
let folder = Context.environment["BROADCASTER_PACKAGES"]

func published(_ owner: String, _ name: String, from version: Version) -> Package.Dependency {
    folder.map { .package(path: "\($0)/\(name)") }
        ?? .package(url: "https://github.com/\(owner)/\(name).git", from: version)
}

/// What the others need, so that a folder of checkouts is all that is needed.
let indirect = [
    "swift-async-algorithms", "swift-atomics", "swift-collections", "swift-distributed-tracing",
    "swift-http-types", "swift-nio", "swift-nio-extras", "swift-service-context", "swift-system",
]

let package = Package(
    name: "InAServer",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "Broadcaster", path: "../../.."),
        published("hummingbird-project", "hummingbird", from: "2.24.0"),
        published("hummingbird-project", "hummingbird-websocket", from: "2.6.0"),
        published("swift-server", "swift-service-lifecycle", from: "2.6.0"),
        published("apple", "swift-log", from: "1.5.2"),
        published("apple", "swift-metrics", from: "2.5.0"),
    ]
        + (folder == nil
            ? []
            : (indirect.map { published("apple", $0, from: "1.0.0") }
                + [published("hummingbird-project", "swift-websocket", from: "1.0.0")])),
    targets: [
        .executableTarget(
            name: "InAServer",
            dependencies: [
                .product(name: "Broadcaster", package: "Broadcaster"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdWebSocket", package: "hummingbird-websocket"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ])
    ])
