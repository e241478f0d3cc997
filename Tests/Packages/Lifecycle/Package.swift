// swift-tools-version: 6.1
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// A folder with checkouts of the packages; without it they come from where they are published.
let folder = Context.environment["BROADCASTER_PACKAGES"]

func published(_ owner: String, _ name: String, from version: Version) -> Package.Dependency {
    folder.map { .package(path: "\($0)/\(name)") }
        ?? .package(url: "https://github.com/\(owner)/\(name).git", from: version)
}

let package = Package(
    name: "Lifecycle",
    dependencies: [
        .package(name: "Broadcaster", path: "../../.."),
        published("swift-server", "swift-service-lifecycle", from: "2.6.0"),
        published("apple", "swift-log", from: "1.5.2"),
        // What those need, so that a folder of checkouts is all that is needed.
        published("apple", "swift-async-algorithms", from: "1.0.0"),
        published("apple", "swift-collections", from: "1.1.0"),
    ],
    targets: [
        .executableTarget(
            name: "LifecycleService",
            dependencies: [
                .product(name: "Broadcaster", package: "Broadcaster"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ])
    ])
