//! The arguments of what makes and looks at sealed generations.

use super::{AnswerFormat, Init};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// How a generation is sealed.
#[derive(Debug, Args)]
pub struct Sealing {
    /// Say what would happen, and touch nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// A signing key, or the `.pub` of one that an agent holds; may be given several times; by default what the file says,
    /// or /etc/capc/keys/root.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// How long each signer may take, people at a terminal included.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = clap::value_parser!(u64).range(1..))]
    pub sign_within: u64,
}

/// `capc reconfigure`.
#[derive(Debug, Args)]
pub struct Reconfigure {
    /// The system file.
    pub file: PathBuf,
    /// How it is sealed.
    #[command(flatten)]
    pub sealing: Sealing,
    /// Where sealed generations go; by default what the file says, or /var/lib/capc.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// The root of another system, which the file, its paths and the default store belong to.
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// What the generation is made for; by default what the file says, or none.
    #[arg(long, value_enum)]
    pub init: Option<Init>,
    /// Refuse unless the configuration is the one that the current generation was sealed from: accept changed programs alone.
    #[arg(long)]
    pub same_config: bool,
    /// When a service does not come up after the switch, seal the content of the generation before, and switch to it.
    #[arg(long, conflicts_with = "root")]
    pub rollback_on_failure: bool,
    /// With the first generation: how many of its keys must sign the next; by default all.
    #[arg(long, value_name = "NUMBER")]
    pub threshold: Option<u32>,
}

/// `capc files`.
#[derive(Debug, Args)]
pub struct Files {
    /// The system file.
    pub file: PathBuf,
    /// The root of the other system, which the file and its paths belong to.
    #[arg(long, value_name = "DIR")]
    pub root: PathBuf,
    /// A program that is to run there besides, by its path there; may be given several times.
    #[arg(long = "program", value_name = "PATH")]
    pub programs: Vec<String>,
}

/// `capc verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The directory of a generation; by default the store's current one.
    pub generation: Option<PathBuf>,
    /// The store.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
    /// Every generation of the store, and how they follow each other.
    #[arg(long, conflicts_with = "generation")]
    pub chain: bool,
    /// A public key that must have signed (with --chain: the first one); may be given several times; by default whom the
    /// store's launcher trusts.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
}

/// A store that is looked at.
#[derive(Debug, Args)]
pub struct Inspected {
    /// The store.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
    /// How to print the answer.
    #[arg(long, value_enum, default_value = "human")]
    pub format: AnswerFormat,
}

/// `capc show`.
#[derive(Debug, Args)]
pub struct Show {
    /// The service.
    pub name: String,
    /// The generation; by default the current one.
    #[arg(long, value_name = "NUMBER")]
    pub generation: Option<u64>,
    /// Where it is.
    #[command(flatten)]
    pub inspected: Inspected,
}

/// `capc rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// The generation whose content comes back.
    pub number: u64,
    /// The store.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
    /// How it is sealed.
    #[command(flatten)]
    pub sealing: Sealing,
}

/// `capc gc`.
#[derive(Debug, Args)]
pub struct Gc {
    /// How many generations stay, the current one included.
    #[arg(long, value_name = "NUMBER", default_value = "3", value_parser = clap::value_parser!(u16).range(1..))]
    pub keep: u16,
    /// Say what would be removed, and remove nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// The store.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
}

/// `capc key`.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make an Ed25519 key with `ssh-keygen`, in a file or a FIDO key
    ///
    /// It asks for a passphrase on the terminal. An existing key is never overwritten.
    #[command(after_help = "Example: capc key init --kind fido --key /etc/capc/keys/root")]
    Init(KeyInit),
    /// Show who may sign the next generation
    #[command(after_help = "Example: capc key show")]
    Show(KeyShow),
    /// Change who may sign
    ///
    /// Seals a generation with the content of the current one that names the new keys. Enough of the old keys sign it, and all of
    /// the new ones, so that nobody is named who has lost his key; from then on the old keys count for nothing.
    #[command(
        after_help = "Example: capc key rotate --key /etc/capc/keys/root --new-key /etc/capc/keys/root-2027"
    )]
    Rotate(KeyRotate),
}

/// `capc key init`.
#[derive(Debug, Args)]
pub struct KeyInit {
    /// Where the private half goes; the public one beside it, with `.pub` after its name.
    #[arg(long, value_name = "FILE", default_value = "/etc/capc/keys/root")]
    pub key: PathBuf,
    /// What holds the private half.
    #[arg(long, value_enum, default_value = "file")]
    pub kind: KeyKind,
    /// Make a key without a passphrase, for a machine that signs by itself.
    #[arg(long)]
    pub no_passphrase: bool,
}

/// What holds the private half of a key.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum KeyKind {
    /// The file.
    File,
    /// A FIDO key that is plugged in and touched at each signature; the file says which key in it.
    Fido,
}

/// `capc key show`.
#[derive(Debug, Args)]
pub struct KeyShow {
    /// Say of this key whether it may sign; may be given several times.
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,
    /// The store.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
}

/// `capc key rotate`.
#[derive(Debug, Args)]
pub struct KeyRotate {
    /// A key that may sign from the next generation on; may be given several times.
    #[arg(long = "new-key", value_name = "FILE", required = true)]
    pub new_keys: Vec<PathBuf>,
    /// How many of the new keys must sign; by default all.
    #[arg(long, value_name = "NUMBER")]
    pub threshold: Option<u32>,
    /// The store.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
    /// How it is sealed; --key names the old keys.
    #[command(flatten)]
    pub sealing: Sealing,
}
