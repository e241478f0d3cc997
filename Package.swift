// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

/// Every rule that the compiler can keep for us, in every target.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// In Sources every use of unsafe memory is marked as such.
let safeSettings: [SwiftSetting] = settings + [.strictMemorySafety()]

/// A module of the library. Module names carry the package's name, since they must be unique in the
/// whole package graph of whoever uses this; folder names are short.
func module(_ name: String, path: String? = nil, uses: [String] = []) -> Target {
    .target(
        name: "Broadcaster\(name)",
        dependencies: uses.map {
            .byName(name: $0 == "Epoll" ? "CBroadcasterEpoll" : "Broadcaster\($0)")
        },
        path: "Sources/\(path ?? name)",
        swiftSettings: safeSettings)
}

func tests(_ name: String, uses: [String], programs: [String] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: (uses + ["TestSupport"]).map { .byName(name: "Broadcaster\($0)") }
            + programs.map { .byName(name: $0) },
        path: "Tests/\(name)Tests",
        exclude: name == "Integration" ? ["browser.py"] : [],
        swiftSettings: settings)
}

/// A new backend is a folder under Sources/Backends, a word here, and a line in StandardBackends.
let backends = ["Memory", "Redis", "Postgres", "RabbitMQ", "Kafka"]

let facade = Target.target(
    name: "Broadcaster",
    dependencies: (["Wire", "Sockets", "Multiplexing"] + backends).map {
        .byName(name: "Broadcaster\($0)")
    },
    path: "Sources/Broadcaster",
    swiftSettings: safeSettings)

/// For those who write a backend outside of this package: the seam under a name of its own.
let backendKit = module("BackendKit", uses: ["Wire"])

/// For the tests of whoever uses the library: a product of its own.
let testing = module("Testing", uses: ["", "Multiplexing", "Sockets", "Wire"])

/// Typed channels whose messages are JSON: a product of its own, since Foundation's coders come with it.
let json = module("JSON", path: "BroadcasterJSON", uses: [""])

/// Stands under the command, which alone uses it.
let chatDemo = module(
    "ChatDemo", path: "BroadcastCLI/ChatDemo", uses: ["", "Authentication", "Sockets", "Wire"])

let commandLine = Target.executableTarget(
    name: "BroadcasterCLI",
    dependencies: [
        "Broadcaster", "BroadcasterAuthentication", "BroadcasterChatDemo", "BroadcasterSockets",
        "BroadcasterWire",
    ],
    path: "Sources/BroadcastCLI",
    exclude: ["ChatDemo"],
    swiftSettings: safeSettings)

/// Starts servers, peers and workers, and draws up the tables.
let benchmarks = Target.executableTarget(
    name: "benchmarks",
    dependencies: [
        "BroadcasterSockets", "BroadcasterTestSupport", "BroadcasterTesting", "BroadcasterCLI",
        "benchmark-worker",
    ],
    path: "Benchmarks/Harness",
    swiftSettings: settings)

/// What is measured. A program of its own, since the test support brings Foundation with it, whose
/// memory and start would be counted.
let benchmarkWorker = Target.executableTarget(
    name: "benchmark-worker",
    dependencies: [
        "Broadcaster", "BroadcasterAuthentication", "BroadcasterPostgres", "BroadcasterRedis",
        "BroadcasterWire",
    ],
    path: "Benchmarks/Worker",
    swiftSettings: settings)

/// Breaks the connection at random, for a minute or an hour, and checks what was delivered.
let soak = Target.executableTarget(
    name: "broadcast-soak",
    dependencies: [
        "Broadcaster", "BroadcasterSockets", "BroadcasterTestSupport", "BroadcasterTesting",
    ],
    path: "Benchmarks/Soak",
    swiftSettings: settings)

let testTargets = [
    Target.target(
        name: "BroadcasterTestSupport",
        dependencies: ["BroadcasterSockets", "BroadcasterTesting", "BroadcasterWire"],
        path: "Tests/Support", swiftSettings: settings),
    tests("Wire", uses: ["Wire"]),
    tests("Authentication", uses: ["Authentication"]),
    tests("TLS", uses: ["TLS", "Wire"]),
    tests("Sockets", uses: ["Sockets", "Testing"]),
    tests("Multiplexing", uses: ["Memory", "Multiplexing", "Sockets", "Testing", "Wire"]),
    tests("Backend", uses: ["Wire"] + backends),
    tests("Broadcaster", uses: ["", "JSON", "Testing", "Wire", "Redis", "Postgres"]),
    tests("Chat", uses: ["", "ChatDemo", "Authentication", "Sockets"]),
    tests(
        "Integration", uses: ["", "BackendKit", "JSON", "Testing"],
        programs: ["broadcaster-service-program"]),
    // Compiled as the modules of most users are: without our settings.
    Target.testTarget(
        name: "ConsumerTests", dependencies: ["Broadcaster", "BroadcasterTesting"],
        path: "Tests/ConsumerTests"),
    // A service that tests start and end.
    Target.executableTarget(
        name: "broadcaster-service-program", dependencies: ["Broadcaster"],
        path: "Tests/ServiceProgram", swiftSettings: settings),
]

/// Only with libFuzzer, which brings `main`: see Tests/Fuzz/FuzzEntry.swift.
let fuzzer = Target.executableTarget(
    name: "fuzz",
    dependencies: [
        "BroadcasterAuthentication", "BroadcasterChatDemo", "BroadcasterKafka", "BroadcasterMemory",
        "BroadcasterPostgres", "BroadcasterRabbitMQ", "BroadcasterRedis", "BroadcasterTestSupport",
        "BroadcasterWire",
    ],
    path: "Tests/Fuzz", swiftSettings: settings)
let isFuzzing = Context.environment["BROADCASTER_FUZZ"] != nil

let package = Package(
    name: "Broadcaster",
    products: [
        .library(name: "Broadcaster", targets: ["Broadcaster"]),
        .library(name: "BroadcasterBackendKit", targets: ["BroadcasterBackendKit"]),
        .library(name: "BroadcasterJSON", targets: ["BroadcasterJSON"]),
        .library(name: "BroadcasterTesting", targets: ["BroadcasterTesting"]),
        .executable(name: "broadcast", targets: ["BroadcasterCLI"]),
    ],
    targets: [
        // Header-only: Swift's Glibc module lacks <sys/epoll.h> and <sys/eventfd.h>.
        .systemLibrary(name: "CBroadcasterEpoll", path: "Sources/CEpoll"),
        module("Wire"),
        module("Authentication"),
        module("Sockets", uses: ["Epoll"]),
        // Links nothing: it opens the system's libssl at run time.
        module("TLS", uses: ["Wire"]),
        module("Multiplexing", uses: ["Sockets", "TLS", "Wire"]),
    ] + backends.map { module($0, path: "Backends/\($0)", uses: ["Authentication", "Wire"]) }
        + [
            facade, backendKit, json, testing, chatDemo, commandLine, benchmarks, benchmarkWorker,
            soak,
        ]
        + testTargets
        + (isFuzzing ? [fuzzer] : []),
    swiftLanguageModes: [.v6]
)
