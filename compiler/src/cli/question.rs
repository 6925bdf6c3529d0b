//! The arguments of questions about a configuration.

use super::{AnswerFormat, GraphFormat, GraphLevel};
use clap::Args;
use std::path::PathBuf;

/// What answers: a file, or a generation.
#[derive(Debug, Args)]
pub struct Source {
    /// The system file; by default the current generation answers.
    pub file: Option<PathBuf>,
    /// The same, as an option.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub config: Option<PathBuf>,
    /// A user's home file beside the system file; may be given several times.
    #[arg(long = "home", value_name = "FILE")]
    pub homes: Vec<PathBuf>,
    /// The store whose current generation answers.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
}

impl Source {
    /// Returns the system file, however it was named.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref().or(self.config.as_ref())
    }
}

impl Answering {
    /// Returns the system file, however it was named.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        self.file.as_ref().or(self.config.as_ref())
    }
}

/// A question about a configuration.
#[derive(Debug, Args)]
pub struct Questioned {
    /// What answers.
    #[command(flatten)]
    pub source: Source,
    /// How to print the answer.
    #[arg(long, value_enum, default_value = "human")]
    pub format: AnswerFormat,
}

/// Where the answer comes from, for questions with arguments of their own.
#[derive(Debug, Args)]
pub struct Answering {
    /// The system file; by default the current generation answers.
    pub file: Option<PathBuf>,
    /// The same, as an option.
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    pub config: Option<PathBuf>,
    /// A user's home file beside the system file; may be given several times.
    #[arg(long = "home", value_name = "FILE")]
    pub homes: Vec<PathBuf>,
    /// The store whose current generation answers.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
    /// How to print the answer.
    #[arg(long, value_enum, default_value = "human")]
    pub format: AnswerFormat,
}

/// `capc graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// What answers.
    #[command(flatten)]
    pub source: Source,
    /// How to print the graph.
    #[arg(long, value_enum, default_value = "dot")]
    pub format: GraphFormat,
    /// Only edges along which authority flows at this level; by default both.
    #[arg(long, value_enum)]
    pub level: Option<GraphLevel>,
    /// Only this object and everything one step around it.
    #[arg(long, value_name = "NAME")]
    pub focus: Option<String>,
    /// Only what this object reaches; with `--to`, only what lies on ways between the two.
    #[arg(long, value_name = "NAME")]
    pub from: Option<String>,
    /// Only what reaches this object.
    #[arg(long, value_name = "NAME")]
    pub to: Option<String>,
    /// Only objects of this kind (`service`, `dir`, …) and where they meet; of a resource also who holds it.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
}

/// `capc why`.
#[derive(Debug, Args)]
pub struct Why {
    /// Who: a service, or `outside`.
    pub object: String,
    /// What: a resource, `object.facet`, or a `facet` of the system file.
    pub capability: String,
    /// List every way that begins differently, not only a shortest one.
    #[arg(long)]
    pub all: bool,
    /// Where the answer comes from.
    #[command(flatten)]
    pub answering: Answering,
}

/// `capc who`.
#[derive(Debug, Args)]
pub struct Who {
    /// What: a resource, `object.facet`, or a `facet` of the system file.
    pub capability: String,
    /// Where the answer comes from.
    #[command(flatten)]
    pub answering: Answering,
}

/// `capc what`.
#[derive(Debug, Args)]
pub struct What {
    /// Who: a service, or `outside`.
    pub object: String,
    /// Where the answer comes from.
    #[command(flatten)]
    pub answering: Answering,
}

/// `capc diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// A file, a generation, `REVISION:FILE`, or with `-- FILE` a revision or a range of two.
    pub old: String,
    /// The same, to compare with.
    pub new: Option<String>,
    /// The file whose revisions are compared; with one revision, with the file as it lies here.
    #[arg(last = true, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// A user's home file beside each side, of the same revision; may be given several times.
    #[arg(long = "home", value_name = "FILE")]
    pub homes: Vec<PathBuf>,
    /// List reachable authority pair by pair too.
    #[arg(long)]
    pub all: bool,
    /// The store that a generation's number is looked up in.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/capc")]
    pub store: PathBuf,
    /// How to print the answer.
    #[arg(long, value_enum, default_value = "human")]
    pub format: AnswerFormat,
}
