//! The codes: one list has the words, the severities and the pages.

/// Whether a diagnostic stops what comes after.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is lowered, and the status says so.
    Error,
    /// Said, and no more.
    Warning,
}

impl Severity {
    /// Returns the severity as people and programs write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! codes {
    (errors { $($(#[$doc:meta])* $name:ident = $word:literal),* $(,)? } lints { $($(#[$lint_doc:meta])* $lint:ident = $lint_word:literal),* $(,)? }) => {
        /// A stable name for one thing that can be wrong; `capc explain` has a page on each.
        #[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* $($(#[$lint_doc])* $lint,)* }

        impl Code {
            /// Every code, the errors first.
            pub const ALL: &'static [Self] = &[$(Self::$name,)* $(Self::$lint,)*];

            /// Returns the code as people and programs write it.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* $(Self::$lint => $lint_word,)* }
            }

            /// Returns whether it is a lint: a warning unless it is denied, and waivable by `allow`.
            #[must_use]
            pub const fn is_lint(self) -> bool {
                match self { $(Self::$name => false,)* $(Self::$lint => true,)* }
            }

            /// Returns the page that explains the code.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("../../../docs/diagnostics/", $word, ".md")),)*
                    $(Self::$lint => include_str!(concat!("../../../docs/diagnostics/", $lint_word, ".md")),)*
                }
            }
        }
    };
}

codes! {
    errors {
        /// The text is no KDL 2, or no TOML.
        Syntax = "syntax",
        /// A node, property or right that the language does not have.
        UnknownWord = "unknown-word",
        /// Something required is not there.
        MissingWord = "missing-word",
        /// A path, address, size, signal, capability or date that is none.
        BadValue = "bad-value",
        /// Two declarations with one name in one scope.
        DuplicateName = "duplicate-name",
        /// A name that the scope does not hold.
        Unheld = "unheld",
        /// More rights than the giver has.
        ExcessRights = "excess-rights",
        /// A right that the kind does not have, a parameter of another kind.
        WrongKind = "wrong-kind",
        /// `grants` without a reference to the grantee.
        NoIntroduction = "no-introduction",
        /// Grants that justify only each other.
        CircularProvenance = "circular-provenance",
        /// A module that declares a resource, or reaches outside `code` roots.
        Ambient = "ambient",
        /// A circular bootstrap dependency.
        BootstrapCycle = "bootstrap-cycle",
        /// The trust root depends on what it starts, or something it starts controls it.
        RootCycle = "root-cycle",
        /// A `never` that does not hold.
        AssertionFailed = "assertion-failed",
        /// An assertion or waiver that cannot apply.
        Vacuous = "vacuous",
        /// A module that uses itself.
        ModuleCycle = "module-cycle",
        /// Two claims on one port, place or `listen`.
        Conflict = "conflict",
        /// The machine is not as the configuration says; only `reconfigure` and `up` look.
        Refused = "refused",
    }
    lints {
        /// Declared, and held by nobody.
        UnusedCapability = "unused-capability",
        /// Taken by a module that does nothing with it.
        UnusedParameter = "unused-parameter",
        /// Two services under one identity.
        SharedIdentity = "shared-identity",
        /// The host's whole network.
        CoarseNetwork = "coarse-network",
        /// One holder may write and execute one path.
        WriteAndExecute = "write-and-execute",
        /// A right to modify what the holder cannot read.
        WriteWithoutRead = "write-without-read",
        /// A `connect` to a host, of which the kernel knows only the port.
        HostNotEnforced = "host-not-enforced",
        /// A service without a world.
        Unconfined = "unconfined",
        /// Something held that amounts to root.
        RootEquivalent = "root-equivalent",
        /// A right handed on and never used further down.
        OverWideGrant = "over-wide-grant",
        /// A service that strangers can talk to, without limits.
        MissingLimits = "missing-limits",
        /// A facet that nobody can talk to.
        UnreachableFacet = "unreachable-facet",
    }
}

impl Code {
    /// Returns the severity that nobody has changed.
    #[must_use]
    pub const fn severity(self) -> Severity {
        if self.is_lint() { Severity::Warning } else { Severity::Error }
    }

    /// Returns whether the configuration still means what it says: all names resolve, and what is asked for is held. Then
    /// questions have answers, and lints something to judge.
    #[must_use]
    pub const fn leaves_answers(self) -> bool {
        let judged = matches!(
            self,
            Self::BootstrapCycle | Self::RootCycle | Self::AssertionFailed | Self::Conflict | Self::Vacuous
        );
        judged || self.is_lint()
    }

    /// Returns the code of a word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.word() == word)
    }
}
