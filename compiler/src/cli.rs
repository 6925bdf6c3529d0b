//! The arguments of the command line, and what its exit statuses mean.

mod attend;
mod check;
mod import;
mod question;
mod store;

pub use attend::{Attend, Prepared};
pub use check::{Check, Foreign, ReportFormat};
pub use import::{Import, ImportSystemd};
pub use question::{Answering, Diff, Graph, Questioned, Source, What, Who, Why};
pub use store::{
    Files, Gc, Inspected, Key, KeyInit, KeyKind, KeyRotate, KeyShow, Reconfigure, Rollback, Sealing, Show,
    Verify,
};

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Says what each service is given, and lets nothing else exist for it
#[derive(Debug, Parser)]
#[command(name = "capc", version, arg_required_else_help = true, propagate_version = true)]
#[command(
    after_help = "Example: capc check system.kdl && capc up system.kdl\nExit status: 0 done and clean, 1 errors in the \
configuration, 2 wrong usage or an unreadable file, 3 refused by the seal, the key or the system, 70 an internal error."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Compile in memory and report everything that is wrong
    ///
    /// Touches nothing; for editors, reviews and CI. Several files make one report. Lints are warnings, which change no status
    /// unless they are denied. With --from, what is looked at are the services of another init, as one set, for circles in
    /// their order of start, which that init would not refuse.
    #[command(after_help = "Example: capc check system.kdl --deny-warnings --format github
         capc check --from systemd default.target
         capc check --from shepherd services.scm")]
    Check(Check),
    /// Seal a new generation and switch to it
    ///
    /// Compiles; shows which authority is gained and lost, which processes hold what is revoked, and the digest to be signed;
    /// asks; has `ssh-keygen` sign, lets the launcher verify the whole, and switches atomically. Whatever goes wrong, the old
    /// generation stays.
    #[command(after_help = "Example: capc reconfigure system.kdl --init capc --key /etc/capc/keys/root")]
    Reconfigure(Reconfigure),
    /// List the files of this machine that another system's root lacks
    ///
    /// For machines and containers that hold nothing else: each program, library, image and symbolic link that the services
    /// of a configuration are made of and that the root does not have yet, a path a line. What services are granted is not
    /// among it.
    #[command(
        after_help = "Example: capc files vm/etc/capc/system.kdl --root vm | xargs -d '\\n' cp -a --parents -t vm"
    )]
    Files(Files),
    /// Compile, seal and run everything in the foreground
    ///
    /// The embedded supervisor starts each service in its dead world, prefixes its log lines with its name, and stops all
    /// in reverse order on Ctrl-C. It ends by itself when every service has ended. Works as root and as a plain user.
    #[command(after_help = "Example: capc up testdata/system/hello/system.kdl")]
    Up(Up),
    /// Show how the services of what runs are
    ///
    /// Asks the supervisor of each `capc up` of yours: state, for how long, main process, restarts, what it last said.
    #[command(after_help = "Example: capc ps --format json")]
    Ps(Ps),
    /// Show what a service printed, and what was said of it
    ///
    /// Its latest lines, with their times in UTC; kept in the runtime directory, also after the end, about a megabyte of each.
    #[command(after_help = "Example: capc logs web --follow")]
    Logs(Logs),
    /// Stop one service of what runs, until it is asked to start again
    ///
    /// As its configuration says: its signal, its time. Those that wait for it go on. With the last one `up` ends.
    #[command(after_help = "Example: capc stop web")]
    Stop(Steer),
    /// Start one service again, also one that was stopped, has failed or rests
    ///
    /// It starts from the same seal; what changed in the configuration takes a new `up` or `reconfigure`.
    #[command(after_help = "Example: capc restart web --config system.kdl")]
    Restart(Steer),
    /// Let one service read its configuration again
    ///
    /// Sends the signal that its `reload` names; a service without one refuses.
    #[command(after_help = "Example: capc reload web")]
    Reload(Steer),
    /// Show the authority flow as a graph
    #[command(
        after_help = "Example: capc graph system.kdl --format svg --from outside --to tls-key > authority.svg"
    )]
    Graph(Graph),
    /// Show the boot order in waves, and who waits for whom
    #[command(after_help = "Example: capc order system.kdl")]
    Order(Questioned),
    /// Show by which way an object holds or could reach a capability
    #[command(after_help = "Example: capc why nginx tls-key --config system.kdl")]
    Why(Why),
    /// List all that can obtain a capability
    #[command(after_help = "Example: capc who tls-key --config system.kdl")]
    Who(Who),
    /// List all that an object can obtain
    #[command(after_help = "Example: capc what alice/editor --config system.kdl --home alice.kdl")]
    What(What),
    /// Show which authority was gained, lost or widened, edit by edit
    ///
    /// Compares files, generations (a directory, or a number in the store) or git revisions; exits with 1 when anything was
    /// gained, for reviews in CI.
    #[command(after_help = "Example: capc diff main..HEAD -- system.kdl")]
    Diff(Diff),
    /// Verify the current generation: its signatures, and every file's digest
    ///
    /// With --chain every generation of the store, and that each was signed by whom the one before names.
    #[command(after_help = "Example: capc verify --chain --key /etc/capc/keys/root.pub")]
    Verify(Verify),
    /// Run one service without a world, and print what its configuration lacks
    ///
    /// For moving a program into a world: it runs with all that you may do yourself, for some seconds or to its end, while
    /// every file, socket, port and system call that it uses is noted. Printed is the smallest addition to its configuration, as a
    /// patch with the evidence. Read it: what a program used is not always what it should have.
    #[command(after_help = "Example: capc trace web --config system.kdl --seconds 5 | patch -p0")]
    Trace(Trace),
    /// Say what running services were denied, and which statement would grant it
    ///
    /// Follows what Landlock and the filters of system calls refuse, by the kernel's audit, which is switched on for as long; no
    /// daemon is needed, but root. Each denial is one line: the service, what it tried, what would grant it. It ends with
    /// Ctrl-C or after `--seconds`. System calls are told of services that start while it runs. What is not seen this way: what a
    /// world does not contain (`No such file`) and what is mounted read-only there (`Read-only file system`), which no record
    /// tells. With --trace it follows every system call instead, and tells of that too, also to a plain user of his own services.
    #[command(after_help = "Example: capc why-denied web --trace")]
    WhyDenied(WhyDenied),
    /// List the generations of a store: what each changed, who signed it, what runs
    #[command(after_help = "Example: capc generations")]
    Generations(Inspected),
    /// Say what differs from what was sealed, and how it is accepted or undone
    ///
    /// Sources, programs, libraries, `config` files, images and the generation itself. Status 0: nothing differs, 1: something of
    /// the machine does, 3: the generation is not what was sealed.
    #[command(after_help = "Example: capc status")]
    Status(Inspected),
    /// Show the sealed manifest of a service
    #[command(after_help = "Example: capc show nginx")]
    Show(Show),
    /// Seal a new generation with the content of an old one
    ///
    /// The number goes up and the new one is signed like any other, so no old generation ever starts again by itself. Uids stay
    /// with those who have them now.
    #[command(after_help = "Example: capc rollback 41")]
    Rollback(Rollback),
    /// Remove old generations
    ///
    /// Never the current one, nor one that anything still runs from.
    #[command(after_help = "Example: capc gc --keep 5 --dry-run")]
    Gc(Gc),
    /// Make, show or change the signing keys
    ///
    /// capc holds no private key: `ssh-keygen` makes them and signs with them. The first generation introduces its keys; each
    /// generation says who may sign the next.
    #[command(after_help = "Example: capc key init --key /etc/capc/keys/root")]
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Key {
        /// What to do.
        #[command(subcommand)]
        command: Key,
    },
    /// Write an existing machine's services down as a configuration
    #[command(after_help = "Example: capc import systemd nginx.service redis-server.service > system.kdl")]
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Import {
        /// What is imported.
        #[command(subcommand)]
        command: Import,
    },
    /// Put configuration files in order, or say them in the other language
    ///
    /// Indents and spaces, in place, and keeps comments. A file with mistakes in it is not touched.
    #[command(
        after_help = "Example: capc fmt --check system.kdl modules/web.toml\nExample: capc fmt --to toml system.kdl\n\
Example: capc fmt --stdin-filename system.kdl - < system.kdl"
    )]
    Fmt(Fmt),
    /// Explain a diagnostic's code
    #[command(after_help = "Example: capc explain bootstrap-cycle")]
    Explain {
        /// The code, as it stands in brackets behind `error`.
        code: String,
    },
    /// Print a script that completes capc's words in a shell
    ///
    /// For bash, elvish, fish, powershell or zsh; made from the arguments that this very capc takes.
    #[command(after_help = "Example: capc completions bash > /etc/bash_completion.d/capc")]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the man pages of capc and of each command into a directory
    #[command(after_help = "Example: capc man /usr/local/share/man/man1")]
    Man {
        /// Made if it is not there.
        directory: PathBuf,
    },
    /// Say what this kernel can enforce
    ///
    /// Tries every layer that a dead world needs; a missing one is a refusal, never a weaker start.
    #[command(after_help = "Example: capc doctor")]
    Doctor,
    /// Start one service for another init, which passes its descriptors and is told when it is ready
    #[command(
        hide = true,
        after_help = "Example: capc attend --ready-port 80 LAUNCHER /var/lib/capc/generations/7 web"
    )]
    Attend(Attend),
    /// Keep the channels of a generation in an init's store of descriptors, and hand out their ends
    #[command(hide = true, after_help = "Example: capc channels /var/lib/capc/generations/7")]
    Channels(Prepared),
    /// Mount the facets of a generation for an init that mounts nothing
    #[command(hide = true, after_help = "Example: capc facets /var/lib/capc/generations/7")]
    Facets(Prepared),
}

/// `capc fmt`.
#[derive(Debug, Args)]
pub struct Fmt {
    /// Files in KDL, or in TOML if their names end with `.toml`; `-` alone is standard input, put in order on standard output.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Touch nothing: print which files would change, and end with status 1 if any would.
    #[arg(long, conflicts_with = "to")]
    pub check: bool,
    /// The name of what `-` reads, for reports; as of a file, it decides the language. By default it is KDL.
    #[arg(long, value_name = "FILE")]
    pub stdin_filename: Option<PathBuf>,
    /// Touch nothing: print the one file in this language.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    pub to: Option<FileLanguage>,
}

/// In which language a configuration is printed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum FileLanguage {
    /// KDL 2.
    Kdl,
    /// TOML.
    Toml,
}

/// How answers are printed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    /// For reading.
    Human,
    /// For programs.
    Json,
}

/// How graphs are printed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// `capc/graph/1`.
    Json,
    /// A picture that needs no other program.
    Svg,
    /// For pages that draw Mermaid flowcharts.
    Mermaid,
}

/// A level of authority.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum GraphLevel {
    /// What somebody could come to hold.
    Hold,
    /// What somebody could come to learn or effect.
    Reach,
}

/// What starts the services at boot.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Init {
    /// Nothing: only manifests and the launcher are made.
    None,
    /// The embedded supervisor (`capc up GENERATION`).
    Capc,
    /// systemd: units, which are loaded and applied.
    Systemd,
    /// The GNU Shepherd: a file, which is loaded and applied.
    Shepherd,
}

/// `capc up`.
#[derive(Debug, Args)]
pub struct Up {
    /// The system file, or the directory of a sealed generation.
    pub file: PathBuf,
    /// Where the sealed generation goes; by default a store of its own.
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Set by `up` itself once it runs in a mount namespace of its own.
    #[arg(long, hide = true, value_enum)]
    pub inside: Option<Inside>,
    /// Set by `up` itself when it has another process seal: what groups hold services to.
    #[arg(long, hide = true, value_enum, num_args = 0.., requires = "inside")]
    pub seal: Option<Vec<Held>>,
}

/// `capc ps`.
#[derive(Debug, Args)]
pub struct Ps {
    /// Only the system of this file, or of a sealed generation's directory; by default all of yours that run.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value = "human")]
    pub format: AnswerFormat,
}

/// `capc logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// The service.
    pub service: String,
    /// The file of its system, where more than one has such a service.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Go on with each line as it comes.
    #[arg(long, short)]
    pub follow: bool,
    /// How many lines to begin with.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
    pub lines: usize,
}

/// `capc stop`, `capc restart` and `capc reload`.
#[derive(Debug, Args)]
pub struct Steer {
    /// The service.
    pub service: String,
    /// The file of its system, where more than one that runs has such a service.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// In which way `up` has entered a namespace of its own.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Inside {
    /// As root.
    Root,
    /// As a plain user.
    User,
}

/// What control groups hold all processes of a service to together.
#[derive(Copy, Clone, Debug, PartialEq, Eq, ValueEnum)]
pub enum Held {
    /// Memory.
    Memory,
    /// Processes and threads.
    Tasks,
    /// Processor time.
    Cpu,
}

/// `capc trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// The service.
    pub service: String,
    /// The system file.
    #[arg(long, value_name = "FILE", default_value = "system.kdl")]
    pub config: PathBuf,
    /// How long it may run.
    #[arg(long, value_name = "NUMBER", default_value = "10", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: u64,
}

/// `capc why-denied`.
#[derive(Debug, Args)]
pub struct WhyDenied {
    /// Only this service; by default every one that runs.
    pub service: Option<String>,
    /// Follow every system call, as a debugger does, which makes services slower; tells of files that a world lacks, too.
    #[arg(long)]
    pub trace: bool,
    /// How long to follow; by default until it is interrupted.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub seconds: Option<u64>,
}

/// What a run comes to.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done and clean.
    Clean = 0,
    /// The configuration has errors, or an assertion fails.
    Errors = 1,
    /// Wrong usage, or an unreadable file.
    Usage = 2,
    /// Refused by the seal, the key or the system.
    Refused = 3,
    /// An invariant of capc's own is broken.
    Internal = 70,
}

impl Exit {
    /// Returns what the status of another capc says.
    #[must_use]
    pub fn of(status: i32) -> Self {
        let known = [Self::Clean, Self::Errors, Self::Usage, Self::Refused];
        known.into_iter().find(|exit| *exit as i32 == status).unwrap_or(Self::Internal)
    }
}
