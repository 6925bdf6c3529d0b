//! Signatures, crafted in every way that somebody might try: whatever the launcher takes, `ssh-keygen -Y verify` takes.

use crate::generation::Store;
use crate::tampering::Verifier;
use crate::world::{Caller, World, refused};
use capc_schemas::public_key::PublicKey;
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest as _, Sha256, Sha512};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub const SPACE: &str = "capc.system.v1";

/// The parts of a signature file, each of which a case may spoil.
#[derive(Clone)]
pub struct Parts {
    pub magic: Vec<u8>,
    pub version: u32,
    pub key_type: &'static str,
    pub key: Vec<u8>,
    pub after_key: Vec<u8>,
    pub namespace: &'static str,
    pub reserved: &'static str,
    pub hash: &'static str,
    pub signature_type: &'static str,
    pub signature: Vec<u8>,
    pub after_signature: Vec<u8>,
    pub after_all: Vec<u8>,
}

pub fn string(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [&(bytes.as_ref().len() as u32).to_be_bytes()[..], bytes.as_ref()].concat()
}

/// Returns what is signed, as OpenSSH's PROTOCOL.sshsig has it.
pub fn signed_data(namespace: &str, reserved: &str, hash: &str, digest: &[u8]) -> Vec<u8> {
    [b"SSHSIG".to_vec(), string(namespace), string(reserved), string(hash), string(digest)].concat()
}

impl Parts {
    pub fn of(key: &SigningKey, data: &[u8]) -> Self {
        Self {
            magic: b"SSHSIG".to_vec(),
            version: 1,
            key_type: "ssh-ed25519",
            key: key.verifying_key().to_bytes().to_vec(),
            after_key: Vec::new(),
            namespace: SPACE,
            reserved: "",
            hash: "sha512",
            signature_type: "ssh-ed25519",
            signature: key.sign(data).to_bytes().to_vec(),
            after_signature: Vec::new(),
            after_all: Vec::new(),
        }
    }

    pub fn blob(&self) -> Vec<u8> {
        let key = [string(self.key_type), string(&self.key), self.after_key.clone()].concat();
        let signature =
            [string(self.signature_type), string(&self.signature), self.after_signature.clone()].concat();
        let names = [string(self.namespace), string(self.reserved), string(self.hash)].concat();
        let version = self.version.to_be_bytes();
        [&*self.magic, &version, &string(key), &names, &string(signature), &self.after_all].concat()
    }

    pub fn armour(&self) -> Vec<u8> {
        armour(&base64(&self.blob()), 70)
    }
}

pub fn armour(text: &str, columns: usize) -> Vec<u8> {
    let mut file = "-----BEGIN SSH SIGNATURE-----\n".to_string();
    for line in text.as_bytes().chunks(columns) {
        file += &format!("{}\n", String::from_utf8_lossy(line));
    }
    (file + "-----END SSH SIGNATURE-----\n").into_bytes()
}

/// Base64 with padding (RFC 4648).
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits =
            (0..3).fold(0, |bits, index| bits << 8 | group.get(index).map_or(0, |byte| u32::from(*byte)));
        let letter = |index: usize| char::from(ALPHABET[(bits >> (18 - 6 * index) & 63) as usize]);
        [0, 1, 2, 3].map(|index| if index > group.len() { '=' } else { letter(index) })
    };
    bytes.chunks(3).flat_map(group).collect()
}

fn decode(text: &str) -> Vec<u8> {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let value = |letter: &u8| letters.find(char::from(*letter)).unwrap() as u32;
        group.iter().fold(0, |bits, letter| bits << 6 | value(letter)).to_be_bytes()[1..].to_vec()
    };
    text.as_bytes().chunks(4).flat_map(group).collect()
}

/// Adds the order of the group to the second half: the same signature, to whoever does not insist on the least number.
pub fn plus_order(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut sum = signature.to_vec();
    let mut carry = 0;
    for (byte, order) in sum[32..].iter_mut().zip(ORDER) {
        let total = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (total as u8, total >> 8);
    }
    sum
}

/// Points of small order, in canonical and other spellings: with one of them as a key anybody signs anything.
pub fn small_order() -> Vec<[u8; 32]> {
    let with = |first: u8, middle: u8, last: u8| {
        let mut point = [middle; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let eighth = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ];
    vec![
        with(1, 0, 0),
        with(1, 0, 0x80),
        with(0, 0, 0),
        with(0, 0, 0x80),
        with(0xec, 0xff, 0x7f),
        with(0xed, 0xff, 0x7f),
        with(0xee, 0xff, 0x7f),
        eighth,
    ]
}

/// What was crafted, and what the trusted key is if it is not the store's.
struct Case {
    name: String,
    file: Vec<u8>,
    key: Option<[u8; 32]>,
}

fn cases(store: &Store, seal: &[u8]) -> Vec<Case> {
    let key = &store.keys[0];
    let digest = Sha512::digest(seal);
    let data = signed_data(SPACE, "", "sha512", &digest);
    let good = Parts::of(key, &data);
    let other = SigningKey::from_bytes(&[200; 32]);
    let own = |file: Vec<u8>| (file, None);
    let with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = good.clone();
        change(&mut parts);
        own(parts.armour())
    };
    let text = String::from_utf8(good.armour()).unwrap();
    let encoded = base64(&good.blob());
    let texts = |from: &str, to: &str| {
        assert!(text.contains(from));
        own(text.replace(from, to).into_bytes())
    };
    let sign = |data: &[u8]| key.sign(data).to_bytes().to_vec();
    let sha256 = Sha256::digest(seal);
    let (begin, end) = ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----");
    let mut cases = vec![
        ("good", own(good.armour())),
        (
            "another namespace",
            with(&|parts| {
                parts.namespace = "capc.home.v1";
                parts.signature = sign(&signed_data("capc.home.v1", "", "sha512", &digest));
            }),
        ),
        (
            "signed in another namespace",
            with(&|parts| {
                parts.signature = sign(&signed_data("capc.home.v1", "", "sha512", &digest));
            }),
        ),
        ("named another namespace", with(&|parts| parts.namespace = "file")),
        ("no namespace", with(&|parts| parts.namespace = "")),
        ("another key", own(Parts::of(&other, &data).armour())),
        (
            "another key's signature under this name",
            with(&|parts| {
                parts.signature = other.sign(&data).to_bytes().to_vec();
            }),
        ),
        (
            "this key's signature under another name",
            with(&|parts| {
                parts.key = other.verifying_key().to_bytes().to_vec();
            }),
        ),
        ("half of it", own(good.armour()[..150].to_vec())),
        ("without its end", texts(end, "")),
        ("without its beginning", texts(begin, "")),
        ("without its last newline", own(text.trim_end().as_bytes().to_vec())),
        ("S plus the order", with(&|parts| parts.signature = plus_order(&parts.signature))),
        ("named another hash", with(&|parts| parts.hash = "sha256")),
        (
            "another hash",
            with(&|parts| {
                parts.hash = "sha256";
                parts.signature = sign(&signed_data(SPACE, "", "sha256", &sha256));
            }),
        ),
        ("an unknown hash", with(&|parts| parts.hash = "sha1")),
        ("version 0", with(&|parts| parts.version = 0)),
        ("version 2", with(&|parts| parts.version = 2)),
        ("another magic", with(&|parts| parts.magic = b"SSHSIF".to_vec())),
        ("bytes after all", with(&|parts| parts.after_all = vec![0])),
        ("bytes after the signature", with(&|parts| parts.after_signature = vec![0; 3])),
        ("a signature of 63 bytes", with(&|parts| parts.signature.truncate(63))),
        ("a signature of 65 bytes", with(&|parts| parts.signature.push(0))),
        ("a key of 31 bytes", with(&|parts| parts.key.truncate(31))),
        ("a key of 33 bytes", with(&|parts| parts.key.push(0))),
        ("a signature of zeros", with(&|parts| parts.signature = vec![0; 64])),
        ("another signature type", with(&|parts| parts.signature_type = "ssh-rsa")),
        ("another key type", with(&|parts| parts.key_type = "sk-ssh-ed25519@openssh.com")),
        (
            "something reserved, signed",
            with(&|parts| {
                parts.reserved = "x";
                parts.signature = sign(&signed_data(SPACE, "x", "sha512", &digest));
            }),
        ),
        ("something reserved, not signed", with(&|parts| parts.reserved = "x")),
        ("the message itself signed", with(&|parts| parts.signature = sign(seal))),
        ("the bare digest signed", with(&|parts| parts.signature = sign(&digest))),
        (
            "another message",
            with(&|parts| {
                parts.signature = sign(&signed_data(SPACE, "", "sha512", &Sha512::digest(b"another")));
            }),
        ),
        ("junk before", own([b"junk\n", &*good.armour()].concat())),
        ("junk after", own([&*good.armour(), b"junk\n"].concat())),
        ("an empty line before", own([b"\n", &*good.armour()].concat())),
        ("an empty line after", own([&*good.armour(), b"\n"].concat())),
        ("a NUL after", own([&*good.armour(), b"\0"].concat())),
        ("a byte order mark", own(["\u{feff}".as_bytes(), &good.armour()].concat())),
        ("CRLF", texts("\n", "\r\n")),
        ("blanks at the ends of lines", texts("\n", " \n")),
        ("a tab in the middle", own(armour(&format!("{}\t{}", &encoded[..20], &encoded[20..]), 70))),
        ("an empty line inside", texts(&format!("{begin}\n"), &format!("{begin}\n\n"))),
        ("lines of 64", own(armour(&encoded, 64))),
        ("lines of 76", own(armour(&encoded, 76))),
        ("one line", own(armour(&encoded, 1000))),
        ("base64 without padding", own(armour(encoded.trim_end_matches('='), 70))),
        ("base64 with bits to spare", own(armour(&spare_bit(&encoded), 70))),
        ("a letter of base64 for addresses", texts("U1NIU0lH", "U1NIU0l_")),
        ("lower case", own(text.to_lowercase().into_bytes())),
        ("a longer rule", texts(begin, &format!("-{begin}"))),
        ("twice", own(good.armour().repeat(2))),
        ("nothing", own(Vec::new())),
        ("no signature at all", own(armour("", 70))),
        ("its end first", own([format!("{end}\n").as_bytes(), &good.armour()].concat())),
    ];
    let small = small_order();
    for point in &small {
        cases.push(("a key of small order", (Vec::new(), Some(*point))));
        cases.push(("R of small order", with(&|parts| parts.signature[..32].copy_from_slice(point))));
    }
    cases
        .into_iter()
        .enumerate()
        .map(|(number, (name, (file, key)))| {
            // Under such a key R of the same order and S = 0 verify, if anybody lets them.
            let file = key.map_or(file, |point| {
                let mut parts = good.clone();
                parts.key = point.to_vec();
                parts.signature = [[1].as_slice(), &[0; 63]].concat();
                parts.armour()
            });
            Case { name: format!("{number}: {name}"), file, key }
        })
        .collect()
}

/// Sets a bit of the last letter that belongs to no byte.
fn spare_bit(encoded: &str) -> String {
    let body = encoded.strip_suffix("==").unwrap();
    let (body, last) = body.split_at(body.len() - 1);
    let next = match last.as_bytes()[0] {
        b'/' => '+',
        b'9' => '+',
        letter => char::from(letter + 1),
    };
    format!("{body}{next}==")
}

fn keygen(arguments: &[&str], input: &Path) -> Output {
    let input = fs::File::open(input).unwrap();
    let output = Command::new("ssh-keygen").args(arguments).stdin(input).output();
    output.unwrap_or_else(|error| {
        panic!("this test needs ssh-keygen: apt-get install openssh-client ({error})")
    })
}

/// Asks `ssh-keygen` whether a file is a signature over the SEAL by one of these keys.
pub fn ssh_keygen_takes(store: &Store, keys: &[PublicKey], file: &[u8]) -> bool {
    let (signers, signature): (PathBuf, PathBuf) = (store.dir.join("signers"), store.dir.join("try.sig"));
    let line = |key: &PublicKey| format!("capc {} {}\n", key.kind(), base64(key.blob().bytes()));
    fs::write(&signers, keys.iter().map(line).collect::<String>()).unwrap();
    fs::write(&signature, file).unwrap();
    let (signers, signature) = (signers.to_str().unwrap(), signature.to_str().unwrap());
    let arguments = ["-Y", "verify", "-f", signers, "-I", "capc", "-n", SPACE, "-s", signature];
    keygen(&arguments, &store.generation().join("SEAL")).status.success()
}

#[test]
fn whatever_the_launcher_takes_ssh_keygen_takes() {
    let store = World::shell(Caller::Root, "true").store();
    let seal = fs::read(store.generation().join("SEAL")).unwrap();
    let own = store.keys[0].verifying_key().to_bytes();
    let cases = cases(&store, &seal);
    assert!(cases.len() >= 60, "{}", cases.len());
    let (mut taken, mut only_openssh) = (Vec::new(), 0);
    for Case { name, file, key } in &cases {
        let mut trusting = World::shell(Caller::Root, "true").store();
        let key = PublicKey::plain(key.unwrap_or(own));
        trusting.trusted = vec![key];
        // The SEAL stays the one that was signed; only the launcher's record is another.
        fs::copy(store.generation().join("SEAL"), trusting.generation().join("SEAL")).unwrap();
        let manifest = "manifests/test/it";
        fs::copy(store.generation().join(manifest), trusting.generation().join(manifest)).unwrap();
        fs::write(trusting.generation().join("SEAL.sig"), file).unwrap();
        let ours = Verifier::of(&trusting).refusal("test/it");
        let theirs = ssh_keygen_takes(&store, &[key], file);
        match ours {
            None => {
                assert!(theirs, "{name}: ssh-keygen refuses what the launcher takes");
                taken.push(name.as_str());
            }
            Some(refusal) => {
                assert!(refusal.starts_with("signature: "), "{name}: {refusal}");
                only_openssh += usize::from(theirs);
            }
        }
    }
    assert_eq!(taken, ["0: good"], "there is one way to write a signature");
    assert!(only_openssh > 5, "ssh-keygen is asked the right question: {only_openssh}");
}

#[test]
fn several_signatures_are_each_ssh_keygens_too() {
    let mut store = World::shell(Caller::Root, "true").store();
    let second = SigningKey::from_bytes(&[98; 32]);
    store.trusted.push(PublicKey::plain(second.verifying_key().to_bytes()));
    store.keys.push(second);
    store.threshold = 2;
    store.write();
    assert_eq!(Verifier::of(&store).refusal("test/it"), None);
    let file = fs::read_to_string(store.generation().join("SEAL.sig")).unwrap();
    let end = "-----END SSH SIGNATURE-----\n";
    let each: Vec<&str> = file.split_inclusive(end).collect();
    assert_eq!(each.len(), 2);
    assert!(each.iter().all(|one| ssh_keygen_takes(&store, &store.trusted, one.as_bytes())));
    fs::write(store.generation().join("SEAL.sig"), [each[1], each[0]].concat()).unwrap();
    assert!(Verifier::of(&store).refusal("test/it").unwrap().contains("do not ascend"));
}

#[test]
fn what_ssh_keygen_signs_the_launcher_takes() {
    let mut store = World::shell(Caller::Root, "echo started").store();
    let key = store.dir.join("key");
    let key_path = key.to_str().unwrap().to_string();
    let sign = |arguments: &[&str], input: &Path| {
        let output = keygen(arguments, input);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    sign(&["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", &key_path], Path::new("/dev/null"));
    let (seal, signature) = (store.generation().join("SEAL"), store.generation().join("SEAL.sig"));
    let signed = |space: &str, hash: &str| {
        let hash = format!("hashalg={hash}");
        sign(&["-Y", "sign", "-f", &key_path, "-n", space, "-O", &hash], &seal)
    };
    let public = decode(fs::read_to_string(key.with_extension("pub")).unwrap().split(' ').nth(1).unwrap());
    store.trusted = vec![PublicKey::plain(*public.last_chunk().unwrap())];
    store.keys = Vec::new();
    store.write();
    refused(&store.output(Caller::Root), "signature: fewer signed");
    fs::write(&signature, signed(SPACE, "sha512")).unwrap();
    assert_eq!(store.output(Caller::Root).stdout, b"started\n");
    for (space, hash) in [("capc.home.v1", "sha512"), (SPACE, "sha256")] {
        fs::write(&signature, signed(space, hash)).unwrap();
        refused(&store.output(Caller::Root), "signature: it is none of a trusted key");
    }
    let mut sums = Command::new("sha256sum");
    sums.args(["--strict", "--quiet", "-c", "SEAL"]).current_dir(store.generation());
    assert!(sums.status().unwrap().success(), "the SEAL is a list of sums");
}
