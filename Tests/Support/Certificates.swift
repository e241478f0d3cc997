internal import BroadcasterSockets
internal import Glibc

/// Certificates for tests, made by the `openssl` command: once in a process, in a folder of their own.
///
/// Each has a file `NAME.crt` and a key `NAME.key`. The authorities are `ca` and `ca2`, and `int`, which `ca` has signed.
/// The date of those that have expired, or are not valid yet, is made by `faketime`.
package enum Certificates {
    package static let areAvailable =
        Programs.areAvailable("/usr/bin/openssl", "/usr/bin/faketime")

    /// The folder.
    package static let folder: String = {
        guard let folder = try? TemporaryFolder.make() else { return "/nonexistent" }
        TemporaryFolder.write(script, to: folder + "/make.sh")
        let status = system(
            "cd '\(folder)' && sh make.sh >make.log 2>&1 && chmod a+rx . && chmod a+r *")
        if status != 0 { print("certificates were not made: see \(folder)/make.log") }
        return folder
    }()

    package static func certificate(_ name: String) -> String { "\(folder)/\(name).crt" }
    package static func key(_ name: String) -> String { "\(folder)/\(name).key" }

    private static let script = """
        set -e
        key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
        root() {
            key $1
            openssl req -x509 -new -key $1.key -days 3650 -subj "/CN=$2" \
                -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign -out $1.crt
        }
        # name, subject, alternative names, authority, date, more extensions
        leaf() {
            [ -e $1.key ] || key $1
            openssl req -new -key $1.key -subj "$2" -out $1.csr
            { echo basicConstraints=CA:false; [ -z "$3" ] || echo "subjectAltName=$3"; [ -z "$6" ] || echo "$6"; } > $1.ext
            faketime "$5" openssl x509 -req -in $1.csr -CA $4.crt -CAkey $4.key -CAcreateserial -days 365 \
                -extfile $1.ext -out $1.crt
        }
        now=$(date '+%Y-%m-%d %H:%M:%S' -d '1 hour ago')
        root ca 'Test Root'
        root ca2 'Other Root'
        key int
        openssl req -new -key int.key -subj '/CN=Test Intermediate' -out int.csr
        printf 'basicConstraints=critical,CA:true\\nkeyUsage=critical,keyCertSign,cRLSign\\n' > int.ext
        openssl x509 -req -in int.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1000 -extfile int.ext -out int.crt
        leaf good /CN=localhost DNS:localhost,IP:127.0.0.1 ca "$now"
        leaf host /CN=localhost DNS:localhost ca "$now"
        leaf address /CN=some IP:127.0.0.1 ca "$now"
        leaf wrong /CN=other.example DNS:other.example,DNS:*.example.com ca "$now"
        leaf wild /CN=x DNS:*.db.test ca "$now"
        leaf common /CN=localhost '' ca "$now"
        leaf expired /CN=localhost DNS:localhost ca '2020-01-01 00:00:00'
        leaf future /CN=localhost DNS:localhost ca '2036-01-01 00:00:00'
        leaf unknown /CN=localhost DNS:localhost ca2 "$now"
        leaf through /CN=localhost DNS:localhost int "$now"
        cat through.crt int.crt > chain.crt; cp through.key chain.key
        cat ca.crt int.crt > ca-int.crt
        leaf clients /CN=localhost DNS:localhost ca "$now" extendedKeyUsage=clientAuth
        leaf client /CN=scram '' ca "$now"
        leaf client2 /CN=scram '' ca2 "$now"
        openssl ec -in client.key -aes256 -passout pass:secret -out locked.key
        key self
        openssl req -x509 -new -key self.key -days 365 -subj /CN=localhost -addext subjectAltName=DNS:localhost -out self.crt
        # A signature without a hash function, and one that has another than SHA-256.
        openssl genpkey -algorithm ed25519 -out edca.key
        openssl req -x509 -new -key edca.key -days 3650 -subj '/CN=Ed Root' -addext basicConstraints=critical,CA:true -out edca.crt
        leaf ed /CN=localhost DNS:localhost edca "$now"
        leaf revoked /CN=localhost DNS:localhost ca "$now"
        mkdir db; : > db/index; echo 01 > db/number
        printf '[ca]\\ndefault_ca=d\\n[d]\\ndatabase=db/index\\ncrlnumber=db/number\\ndefault_md=sha256\\n' > ca.cnf
        printf 'default_crl_days=3650\\ncertificate=ca.crt\\nprivate_key=ca.key\\n' >> ca.cnf
        openssl ca -config ca.cnf -revoke revoked.crt
        openssl ca -config ca.cnf -gencrl -out ca.crl
        """
}
