// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

// A backend in a package of its own, as anybody may write one: it uses nothing of Broadcaster but its products.
let package = Package(
    name: "NATSBackend",
    products: [.library(name: "NATS", targets: ["NATS"])],
    dependencies: [.package(name: "Broadcaster", path: "../..")],
    targets: [
        .target(
            name: "NATS",
            dependencies: [.product(name: "BroadcasterBackendKit", package: "Broadcaster")]),
        .testTarget(
            name: "NATSTests",
            dependencies: [
                "NATS",
                .product(name: "Broadcaster", package: "Broadcaster"),
                .product(name: "BroadcasterBackendKit", package: "Broadcaster"),
                .product(name: "BroadcasterTesting", package: "Broadcaster"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
