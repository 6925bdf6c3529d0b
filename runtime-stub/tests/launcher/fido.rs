//! Signatures of FIDO keys, crafted in every way that somebody might try: whatever the launcher takes,
//! `ssh-keygen -Y verify` takes.

use crate::generation::Store;
use crate::signatures::{
    Parts, SPACE, armour, base64, plus_order, signed_data, small_order, ssh_keygen_takes, string,
};
use crate::tampering::Verifier;
use crate::world::{Caller, World, refused};
use capc_schemas::public_key::{Application, PublicKey};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest as _, Sha256, Sha512};
use std::fs;

const KIND: &str = "sk-ssh-ed25519@openssh.com";
const WHERE: &str = "ssh:alpha";

/// What a token signs, as OpenSSH's PROTOCOL.u2f has it.
fn token_data(application: &str, flags: u8, counter: u32, data: &[u8]) -> Vec<u8> {
    let (application, data) = (Sha256::digest(application), Sha256::digest(data));
    [&application[..], &[flags], &counter.to_be_bytes(), &data[..]].concat()
}

/// What a token says of the moment, behind its signature.
fn moment(flags: u8, counter: u32) -> Vec<u8> {
    [&[flags][..], &counter.to_be_bytes()].concat()
}

/// The signature of a token that is touched, for an application.
fn signed_for(key: &SigningKey, application: &str, (flags, counter): (u8, u32), data: &[u8]) -> Parts {
    let mut parts = Parts::of(key, &token_data(application, flags, counter, data));
    (parts.key_type, parts.signature_type) = (KIND, KIND);
    parts.after_key = string(application);
    parts.after_signature = moment(flags, counter);
    parts
}

fn key_for(key: &SigningKey, application: &str) -> PublicKey {
    let application = Application::new(application);
    assert!(application.is_some());
    PublicKey { point: key.verifying_key().to_bytes(), application }
}

/// What was crafted, and which key is trusted.
struct Case {
    name: String,
    file: Vec<u8>,
    trusted: PublicKey,
    is_good: bool,
}

#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn add(&mut self, name: impl Into<String>, trusted: PublicKey, file: Vec<u8>) {
        self.0.push(Case { name: name.into(), file, trusted, is_good: false });
    }

    fn good(&mut self, name: impl Into<String>, trusted: PublicKey, file: Vec<u8>) {
        self.0.push(Case { name: name.into(), file, trusted, is_good: true });
    }
}

fn cases(key: &SigningKey, seal: &[u8]) -> Vec<Case> {
    let digest = Sha512::digest(seal);
    let data = signed_data(SPACE, "", "sha512", &digest);
    let trusted = key_for(key, WHERE);
    let other = SigningKey::from_bytes(&[201; 32]);
    let good = signed_for(key, WHERE, (1, 7), &data);
    let mut cases = Cases::default();
    let mut with = |name: &str, change: &dyn Fn(&mut Parts)| {
        let mut parts = good.clone();
        change(&mut parts);
        cases.add(name, trusted, parts.armour());
    };
    let sign = |data: &[u8]| key.sign(data).to_bytes().to_vec();
    let sign_all = |data: &[u8]| sign(&token_data(WHERE, 1, 7, data));

    // Another moment than the token signed.
    with("other flags than were signed", &|parts| parts.after_signature = moment(5, 7));
    with("presence taken away", &|parts| parts.after_signature = moment(0, 7));
    with("presence put in", &|parts| {
        parts.signature = sign(&token_data(WHERE, 0, 7, &data));
    });
    with("another counter than was signed", &|parts| parts.after_signature = moment(1, 8));
    with("the counter's bytes turned round", &|parts| {
        parts.after_signature = [&[1][..], &7_u32.to_le_bytes()].concat();
    });
    with("no moment", &|parts| parts.after_signature.clear());
    with("flags alone", &|parts| parts.after_signature.truncate(1));
    with("a counter of three bytes", &|parts| parts.after_signature.truncate(4));
    with("a byte after the counter", &|parts| parts.after_signature.push(0));
    with("the moment as a string", &|parts| parts.after_signature = string(moment(1, 7)));
    with("the moment twice", &|parts| parts.after_signature = moment(1, 7).repeat(2));

    // Another key, or another kind of key.
    with("another key's signature under this name", &|parts| {
        parts.signature = other.sign(&token_data(WHERE, 1, 7, &data)).to_bytes().to_vec();
    });
    with("this key's signature under another name", &|parts| {
        parts.key = other.verifying_key().to_bytes().to_vec();
    });
    with("another application named", &|parts| parts.after_key = string("ssh:"));
    with("another application signed", &|parts| {
        parts.signature = sign(&token_data("ssh:", 1, 7, &data));
    });
    with("no application", &|parts| parts.after_key.clear());
    with("an empty application", &|parts| parts.after_key = string(""));
    with("an application cut off", &|parts| parts.after_key.truncate(6));
    with("a byte after the application", &|parts| parts.after_key.push(0));
    with("an application with a NUL after it", &|parts| parts.after_key = string("ssh:alpha\0"));
    with("an application twice", &|parts| parts.after_key = string(WHERE).repeat(2));
    with("the key called a plain one", &|parts| parts.key_type = "ssh-ed25519");
    with("the signature called a plain one", &|parts| parts.signature_type = "ssh-ed25519");
    with("both called plain", &|parts| {
        (parts.key_type, parts.signature_type) = ("ssh-ed25519", "ssh-ed25519");
    });
    with("both plain in form, signed by the token", &|parts| {
        (parts.key_type, parts.signature_type) = ("ssh-ed25519", "ssh-ed25519");
        parts.after_key.clear();
        parts.after_signature.clear();
    });
    with("a plain signature in a token's form", &|parts| parts.signature = sign(&data));
    with("a plain signature under a token's key", &|parts| {
        parts.signature_type = "ssh-ed25519";
        parts.signature = sign(&data);
        parts.after_signature.clear();
    });
    with("the key of an ECDSA token", &|parts| parts.key_type = "sk-ecdsa-sha2-nistp256@openssh.com");
    with("a signature of an ECDSA token", &|parts| {
        parts.signature_type = "sk-ecdsa-sha2-nistp256@openssh.com";
    });
    with("a signature of a web site's kind", &|parts| {
        parts.signature_type = "webauthn-sk-ssh-ed25519@openssh.com";
    });
    with("a certificate", &|parts| parts.key_type = "sk-ssh-ed25519-cert-v01@openssh.com");
    with("a kind without its domain", &|parts| parts.key_type = "sk-ssh-ed25519");
    with("a key of 31 bytes", &|parts| parts.key.truncate(31));
    with("a key of 33 bytes", &|parts| parts.key.push(0));

    // Another message, or another digest of it.
    with("the data itself signed", &|parts| parts.signature = sign(&data));
    with("the data not hashed", &|parts| {
        let head = &token_data(WHERE, 1, 7, &data)[..37];
        parts.signature = sign(&[head, &data].concat());
    });
    with("the application not hashed", &|parts| {
        let tail = &token_data(WHERE, 1, 7, &data)[32..];
        parts.signature = sign(&[WHERE.as_bytes(), tail].concat());
    });
    with("the message itself signed", &|parts| parts.signature = sign_all(seal));
    with("the bare digest signed", &|parts| parts.signature = sign_all(&digest));
    with("another message", &|parts| {
        parts.signature = sign_all(&signed_data(SPACE, "", "sha512", &Sha512::digest(b"another")));
    });
    with("another namespace", &|parts| {
        parts.namespace = "capc.home.v1";
        parts.signature = sign_all(&signed_data("capc.home.v1", "", "sha512", &digest));
    });
    with("signed in another namespace", &|parts| {
        parts.signature = sign_all(&signed_data("capc.home.v1", "", "sha512", &digest));
    });
    with("another hash", &|parts| {
        parts.hash = "sha256";
        parts.signature = sign_all(&signed_data(SPACE, "", "sha256", &Sha256::digest(seal)));
    });
    with("named another hash", &|parts| parts.hash = "sha256");
    with("something reserved, signed", &|parts| {
        parts.reserved = "x";
        parts.signature = sign_all(&signed_data(SPACE, "x", "sha512", &digest));
    });

    // The signature and its frame.
    with("S plus the order", &|parts| parts.signature = plus_order(&parts.signature));
    with("a signature of 63 bytes", &|parts| parts.signature.truncate(63));
    with("a signature of 65 bytes", &|parts| parts.signature.push(0));
    with("a signature of zeros", &|parts| parts.signature = vec![0; 64]);
    with("version 2", &|parts| parts.version = 2);
    with("another magic", &|parts| parts.magic = b"SSHSIF".to_vec());
    with("bytes after all", &|parts| parts.after_all = vec![0]);
    for point in small_order() {
        with("R of small order", &|parts| parts.signature[..32].copy_from_slice(&point));
    }
    around(&mut cases, trusted, &good);
    moments(&mut cases, trusted, (key, &data));

    // Which key is trusted.
    cases.add("trusted as a plain key", PublicKey::plain(trusted.point), good.armour());
    cases.add("trusted for another application", key_for(key, "ssh:alph"), good.armour());
    cases.add("another key is trusted", key_for(&other, WHERE), good.armour());
    let plain = Parts::of(key, &data).armour();
    cases.add("a plain signature, trusted as a token", trusted, plain);
    for application in ["ssh:", "ssh:a+b@c%20", &("ssh:".to_string() + &"x".repeat(60))] {
        let file = signed_for(key, application, (1, 7), &data).armour();
        cases.good(application, key_for(key, application), file);
    }
    for point in small_order() {
        // Under such a key R of the same order and S = 0 verify, if anybody lets them.
        let mut parts = good.clone();
        parts.key = point.to_vec();
        parts.signature = [[1].as_slice(), &[0; 63]].concat();
        cases.add("a key of small order", PublicKey { point, ..trusted }, parts.armour());
    }
    cases.0
}

/// What stands around a good signature.
fn around(cases: &mut Cases, trusted: PublicKey, good: &Parts) {
    let text = String::from_utf8(good.armour()).unwrap();
    let encoded = base64(&good.blob());
    assert!(encoded.ends_with("=="));
    cases.good("good", trusted, text.clone().into_bytes());
    for (name, file) in [
        ("half of it", text[..200].to_owned()),
        ("junk before", format!("junk\n{text}")),
        ("an empty line after", format!("{text}\n")),
        ("twice", text.repeat(2)),
        ("CRLF", text.replace('\n', "\r\n")),
        ("blanks at the ends of lines", text.replace('\n', " \n")),
        ("without padding", text.replace('=', "")),
        ("nothing", String::new()),
    ] {
        cases.add(name, trusted, file.into_bytes());
    }
    cases.add("lines of 64", trusted, armour(&encoded, 64));
    cases.add("one line", trusted, armour(&encoded, 1000));
}

/// What the token may and may not have said of the moment when it signed.
fn moments(cases: &mut Cases, trusted: PublicKey, (key, data): (&SigningKey, &[u8])) {
    let signed = |flags: u8, counter: u32| signed_for(key, WHERE, (flags, counter), data).armour();
    for counter in [0, 1, u32::MAX] {
        cases.good(format!("signed with counter {counter}"), trusted, signed(1, counter));
    }
    for flags in [0x05, 0x19] {
        cases.good(format!("signed with flags {flags:#x}"), trusted, signed(flags, 7));
    }
    for flags in [0x00, 0x04, 0x1c, 0x03, 0x21, 0x41, 0x81, 0xff] {
        cases.add(format!("signed with flags {flags:#x}"), trusted, signed(flags, 7));
    }
}

/// Says what the launcher refuses of a SEAL with this signature by this key, if anything.
fn refusal(store: &Store, trusted: PublicKey, file: &[u8]) -> Option<String> {
    let mut trusting = World::shell(Caller::Root, "true").store();
    trusting.trusted = vec![trusted];
    // The SEAL stays the one that was signed; only the launcher's record is another.
    for name in ["SEAL", "manifests/test/it"] {
        fs::copy(store.generation().join(name), trusting.generation().join(name)).unwrap();
    }
    fs::write(trusting.generation().join("SEAL.sig"), file).unwrap();
    Verifier::of(&trusting).refusal("test/it")
}

#[test]
fn whatever_the_launcher_takes_of_a_fido_key_ssh_keygen_takes() {
    let store = World::shell(Caller::Root, "true").store();
    let seal = fs::read(store.generation().join("SEAL")).unwrap();
    let cases = cases(&SigningKey::from_bytes(&[77; 32]), &seal);
    assert!(cases.len() >= 90, "{}", cases.len());
    let mut only_openssh = Vec::new();
    for Case { name, file, trusted, is_good } in &cases {
        let theirs = ssh_keygen_takes(&store, &[*trusted], file);
        match refusal(&store, *trusted, file) {
            None => assert!(theirs && *is_good, "{name}: ssh-keygen takes it: {theirs}"),
            Some(refusal) => {
                assert!(refusal.starts_with("signature: ") && !is_good, "{name}: {refusal}");
                let untouched = refusal.contains("nobody touched the FIDO key");
                assert_eq!(untouched, name.contains("flags 0x") || name == "presence taken away", "{name}");
                only_openssh.extend(theirs.then_some(name.as_str()));
            }
        }
    }
    // Where the launcher is stricter: what was not touched, flags without a meaning, second spellings.
    for name in ["signed with flags 0x0", "signed with flags 0x41", "S plus the order", "lines of 64"] {
        assert!(only_openssh.contains(&name), "ssh-keygen is asked the right question: {only_openssh:?}");
    }
}

#[test]
fn no_changed_byte_of_a_fido_signature_is_taken() {
    let mut store = World::shell(Caller::Root, "true").store();
    let token = SigningKey::from_bytes(&[79; 32]);
    store.trusted = vec![key_for(&token, WHERE)];
    store.write();
    let path = store.generation().join("SEAL.sig");
    let seal = fs::read(store.generation().join("SEAL")).unwrap();
    let data = signed_data(SPACE, "", "sha512", &Sha512::digest(&seal));
    let mut file = signed_for(&token, WHERE, (1, 1), &data).armour();
    let mut verifier = Verifier::of(&store);
    let mut judge = |file: &[u8]| {
        fs::write(&path, file).unwrap();
        verifier.refusal("test/it")
    };
    assert_eq!(judge(&file), None);
    for at in 0..file.len() {
        for flip in [1, 0x20] {
            file[at] ^= flip;
            assert!(judge(&file).is_some(), "byte {at}");
            file[at] ^= flip;
        }
        assert!(judge(&file[..at]).is_some(), "cut at {at}");
    }
}

#[test]
fn fido_keys_and_others_sign_together_and_one_point_counts_once() {
    let mut store = World::shell(Caller::Root, "true").store();
    let token = SigningKey::from_bytes(&[78; 32]);
    let plain = store.keys[0].clone();
    store.threshold = 2;
    store.trusted.push(key_for(&token, WHERE));
    store.write();
    let seal = fs::read(store.generation().join("SEAL")).unwrap();
    let data = signed_data(SPACE, "", "sha512", &Sha512::digest(&seal));
    let mut files = [
        (plain.verifying_key().to_bytes(), Parts::of(&plain, &data).armour()),
        (token.verifying_key().to_bytes(), signed_for(&token, WHERE, (1, 1), &data).armour()),
    ];
    files.sort();
    let [first, second] = files.map(|(_, file)| file);
    let judge = |file: &[u8]| {
        fs::write(store.generation().join("SEAL.sig"), file).unwrap();
        Verifier::of(&store).refusal("test/it")
    };
    assert_eq!(judge(&[&*first, &second].concat()), None);
    assert!(judge(&[&*second, &first].concat()).unwrap().contains("do not ascend"));
    assert!(judge(&first).unwrap().contains("fewer signed"));
    // As a plain key and as a token's: a launcher does not take a record that names both.
    let mut twice = World::shell(Caller::Root, "true").store();
    let same = twice.keys[0].clone();
    twice.trusted.push(key_for(&same, WHERE));
    twice.threshold = 2;
    twice.write();
    refused(&twice.output(Caller::Root), "trust record: ");
}
