//! A compiler in small: writes a generation, signs it, and makes a launcher that trusts it.

use capc_schemas::public_key::PublicKey;
use capc_schemas::seal::{self, Entry, HOST_PREFIX, Header, Previous, Scope, ScopeKind, Source};
use capc_schemas::token::{AbsPath, Digest, RelPath, Token};
use capc_schemas::{sshsig, trust};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest as _, Sha256, Sha512};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

#[path = "../../freestanding.rs"]
mod freestanding;

/// A plain user that is nobody's.
pub const USER: u32 = 4000;

/// Returns the launcher without a trust root, built once a run.
pub fn bare_launcher() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests start services as root and as others: run them as root"
        );
        let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("freestanding");
        let built = freestanding::build(Path::new(env!("CARGO_MANIFEST_DIR")), &target_dir).unwrap();
        // Where every user can execute it, one for each build.
        let image = fs::read(built).unwrap();
        let place = std::env::temp_dir().join(format!("capc-launcher-{}", sha256(&image)));
        let part = place.with_extension(std::process::id().to_string());
        fs::write(&part, image).unwrap();
        fs::set_permissions(&part, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(part, &place).unwrap();
        place
    })
}

pub fn sha256(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}

pub fn host() -> Digest {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let id = if id.trim().is_empty() {
        fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap()
    } else {
        id
    };
    Digest(Sha256::new().chain_update(HOST_PREFIX).chain_update(id.trim()).finalize().into())
}

/// A store with one generation of one service, whose parts a test may spoil before it is written.
pub struct Store {
    pub dir: PathBuf,
    pub owner: u32,
    pub keys: Vec<SigningKey>,
    pub trusted: Vec<PublicKey>,
    pub threshold: u32,
    pub number: u64,
    pub floor: Option<String>,
    pub runtime: Option<PathBuf>,
    pub host: Digest,
    pub scope: &'static [u8],
    pub manifests: Vec<(String, String)>,
}

impl Store {
    pub fn new(manifest: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("capc-store-{}-{count}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("run/facets")).unwrap();
        let key = SigningKey::from_bytes(&sha256(&count.to_le_bytes()).0);
        let trusted = vec![PublicKey::plain(key.verifying_key().to_bytes())];
        let name = manifest.lines().find_map(|line| line.strip_prefix("service ")).unwrap().to_string();
        let manifests = vec![(name, manifest.to_string())];
        let (threshold, number, floor, scope) = (1, 3, Some("3\n".to_string()), &b"test"[..]);
        Self {
            dir,
            runtime: None,
            owner: 0,
            keys: vec![key],
            trusted,
            threshold,
            number,
            floor,
            host: host(),
            scope,
            manifests,
        }
    }

    pub fn generation(&self) -> PathBuf {
        self.dir.join("generations").join(self.number.to_string())
    }

    pub fn launcher(&self) -> PathBuf {
        self.dir.join("launcher")
    }

    fn scope(&self) -> Scope<'static> {
        Scope { kind: ScopeKind::System, name: Token::new(self.scope) }
    }

    /// Writes everything.
    pub fn write(&self) {
        let generation = self.generation();
        let mut entries = Vec::new();
        for (name, text) in &self.manifests {
            let path = format!("manifests/{name}");
            let file = generation.join(&path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
            entries.push((path, sha256(text.as_bytes())));
        }
        entries.sort();
        let header = Header {
            scope: self.scope(),
            host: self.host,
            number: self.number,
            previous: Previous::Generation { number: self.number - 1, digest: Digest([9; 32]) },
            content_of: None,
            threshold: 1,
            compiler: Token::new(b"0.1.0"),
        };
        let mut text = String::new();
        let source = Source { digest: Digest([1; 32]), name: Token::new(b"system.kdl") };
        let entries =
            entries.iter().map(|(path, digest)| Entry { digest: *digest, path: RelPath::new(path).unwrap() });
        seal::write(&mut text, &header, [self.trusted[0]], [source], entries).unwrap();
        self.write_seal(&text);
        self.introduce();
        match &self.floor {
            Some(floor) => fs::write(self.dir.join("floor"), floor).unwrap(),
            None => drop(fs::remove_file(self.dir.join("floor"))),
        }
        own(&self.dir, self.owner);
    }

    /// Writes any text as the SEAL, signed.
    pub fn write_seal(&self, text: &str) {
        fs::write(self.generation().join("SEAL"), text).unwrap();
        fs::write(self.generation().join("SEAL.sig"), self.signature(text.as_bytes())).unwrap();
    }

    /// Returns the signatures of all keys, in the order of the public ones.
    pub fn signature(&self, seal: &[u8]) -> String {
        let mut keys: Vec<&SigningKey> = self.keys.iter().collect();
        keys.sort_by_key(|key| key.verifying_key().to_bytes());
        let data = sshsig::signed_data("capc.system.v1", &Sha512::digest(seal).into());
        let mut text = String::new();
        for key in keys {
            let public = PublicKey::plain(key.verifying_key().to_bytes());
            let signature = sshsig::Signature::plain(key.sign(data.bytes()).to_bytes());
            sshsig::write(&mut text, "capc.system.v1", &public, &signature).unwrap();
        }
        text
    }

    /// Returns the record of the trust root.
    pub fn record(&self) -> [u8; trust::RECORD_BYTES] {
        let path = |name: &str| self.dir.join(name).into_os_string().into_encoded_bytes();
        let (floor, runtime) = (path("floor"), path("run"));
        let runtime = self.runtime.clone().map_or(runtime, |path| path.into_os_string().into_encoded_bytes());
        let root = trust::Root {
            scope: self.scope(),
            host: host(),
            floor: AbsPath::new(&floor).unwrap(),
            runtime: AbsPath::new(&runtime).unwrap(),
            threshold: self.threshold,
        };
        let mut signers = self.trusted.clone();
        signers.sort();
        let mut text = String::new();
        trust::write(&mut text, &root, signers).unwrap();
        trust::record_of(&text).unwrap()
    }

    /// Writes the trust root into a copy of the launcher.
    fn introduce(&self) {
        let mut image = fs::read(bare_launcher()).unwrap();
        let places: Vec<usize> = image
            .windows(16)
            .enumerate()
            .filter(|(_, bytes)| *bytes == trust::MAGIC)
            .map(|(at, _)| at)
            .collect();
        assert_eq!(places.len(), 1, "the magic stands once in the image");
        image[places[0]..places[0] + trust::RECORD_BYTES].copy_from_slice(&self.record());
        place_program(&image, &self.launcher());
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Gives a directory and all in it to a user.
pub fn own(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    if path.symlink_metadata().unwrap().is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path(), uid);
        }
    }
}

/// Puts a program in its place by another process: had this one the file open for writing while a neighbour forks, the
/// fork would have it open too, and executing it would fail (ETXTBSY, execve(2)).
pub fn place_program(image: &[u8], place: &Path) {
    let part = place.with_extension("part");
    fs::write(&part, image).unwrap();
    assert!(std::process::Command::new("cp").arg(&part).arg(place).status().unwrap().success());
    fs::remove_file(&part).unwrap();
    fs::set_permissions(place, fs::Permissions::from_mode(0o755)).unwrap();
}
