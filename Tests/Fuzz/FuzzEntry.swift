import BroadcasterTestSupport
import Glibc

/// libFuzzer's two calls. It brings `main` itself:
///
///     BROADCASTER_FUZZ=1 swift build -c release --sanitize=fuzzer --product fuzz \
///         -Xswiftc -enable-testing --scratch-path .build-fuzz
///     .build-fuzz/release/fuzz resp -max_total_time=600
///
/// The first argument names the decoder; its seeds are written to a folder beside the program, which
/// libFuzzer then takes as its corpus and adds to. `fuzz resp FILE` runs one input again.
private let decoder: FuzzedDecoder = {
    guard CommandLine.arguments.count > 1,
        let decoder = FuzzedDecoder(rawValue: CommandLine.arguments[1])
    else {
        let names = FuzzedDecoder.allCases.map(\.rawValue).joined(separator: "|")
        print("usage: fuzz \(names) [libFuzzer's options]")
        exit(64)
    }
    return decoder
}()

/// Called once, before libFuzzer reads its arguments.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>
) -> CInt {
    // Swift's own handlers print a backtrace and end before libFuzzer has kept the input.
    for number in [SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE] { signal(number, SIG_DFL) }
    // Named files are run alone.
    let hasFiles = CommandLine.arguments.dropFirst(2).contains { !$0.hasPrefix("-") }
    let folder = hasFiles ? "-runs=1" : Corpus.write(decoder.seeds, named: decoder.rawValue)
    arguments.pointee[1] = strdup(folder)
    return 0
}

/// Called for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    decoder.run(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}

/// A folder with a file for each input, as libFuzzer reads it.
private enum Corpus {
    static func write(_ inputs: [[UInt8]], named name: String) -> String {
        let program = CommandLine.arguments[0]
        let folder = "\(program)-corpus"
        mkdir(folder, 0o755)
        mkdir("\(folder)/\(name)", 0o755)
        for (number, input) in inputs.enumerated() {
            guard let file = fopen("\(folder)/\(name)/seed-\(number)", "w") else { continue }
            fwrite(input, 1, input.count, file)
            fclose(file)
        }
        return "\(folder)/\(name)"
    }
}
