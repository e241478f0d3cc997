import BroadcasterAuthentication
import Testing

/// SHA-512 and SCRAM-SHA-512, beside what Python's hashlib makes of the same.
struct SCRAM512Tests {
    /// FIPS 180-4, and every border of the padding.
    @Test(arguments: [
        (
            "", 1,
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
        ),
        (
            "abc", 1,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "a", 111,
            "fa9121c7b32b9e01733d034cfc78cbf67f926c7ed83e82200ef86818196921760b4beff48404df811b953828274461673c68d04e297b0eb7b2b4d60fc6b566a2"
        ),
        (
            "a", 112,
            "c01d080efd492776a1c43bd23dd99d0a2e626d481e16782e75d54c2503b5dc32bd05f0f1ba33e568b88fd2d970929b719ecbb152f58f130a407c8830604b70ca"
        ),
        (
            "a", 127,
            "828613968b501dc00a97e08c73b118aa8876c26b8aac93df128502ab360f91bab50a51e088769a5c1eff4782ace147dce3642554199876374291f5d921629502"
        ),
        (
            "a", 128,
            "b73d1929aa615934e61a871596b3f3b33359f42b8175602e89f7e06e5f658a243667807ed300314b95cacdd579f3e33abdfbe351909519a846d465c59582f321"
        ),
        (
            "a", 129,
            "4f681e0bd53cda4b5a2041cc8a06f2eabde44fb16c951fbd5b87702f07aeab611565b19c47fde30587177ebb852e3971bbd8d3fd30da18d71037dfbd98420429"
        ),
        (
            "a", 239,
            "52c853cb8d907f3d4d6b889beb027985d7c273486d75f8baf26f80d24e90c74c6c3de3e22131582380a7d14d43f2941a31385439cd6ddc469f628015e50bf286"
        ),
        (
            "a", 240,
            "4c296d90c61052a62ffb1dd196f1b7b09373b1f93e71836baebf89690546b7595684dbe9467a8e484fa0d1094272b4344a7c24f5fee8daedeb0bf549c985ab5f"
        ),
        (
            "a", 256,
            "6a9169eb662f136d87374070e8828b3e615a7eca32a89446e9225b02832709be095e635c824a2bb70213ba2ea0ababac0809827843992c851903b7ac0c136699"
        ),
    ])
    func sha512(text: String, times: Int, expected: String) {
        #expect(hex(SHA512.digest(Array(String(repeating: text, count: times).utf8))) == expected)
    }

    /// RFC 4231, test cases 2 and 6.
    @Test func hmac512() {
        #expect(
            hex(
                HMAC512(key: Array("Jefe".utf8)).authenticate(
                    Array("what do ya want for nothing?".utf8)))
                == "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
        )
        #expect(
            hex(
                HMAC512(key: Array(repeating: 0xaa, count: 131)).authenticate(
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)))
                == "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598"
        )
    }

    /// The exchange of RFC 7677 §3, with SHA-512.
    @Test(arguments: [1, 1000, 5000])
    func anExchangeWithAUser(slice: Int) throws {
        var scram = SCRAM(
            user: "user", password: "pencil", nonce: "rOprNGfwEbeRWgbNEkqO", hash: .sha512)
        #expect(scram.firstMessage == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
        var derivation = try scram.receiveFirst(
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        )
        var key: [UInt8]?
        while key == nil { key = derivation.work(rounds: slice) }
        let final = scram.finalMessage(saltedPassword: key ?? [])
        #expect(
            final
                == "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ=="
        )
        try scram.receiveFinal(
            "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw=="
        )
        #expect(throws: SCRAMError.self) { try scram.receiveFinal("e=unknown-user") }
    }

    @Test func aUserIsEscaped() {
        let scram = SCRAM(user: "a=b,c", password: "p", nonce: "n", hash: .sha512)
        #expect(scram.firstMessage == "n,,n=a=3Db=2Cc,r=n")
    }
}
