//! Random small models, from a tiny generator of our own so that a seed is a test case for ever.

use capc::model::*;
use capc::source::{FileId, Span};
use std::sync::Arc;

/// SplitMix64 (Steele, Lea, Flood 2014): eight lines, no dependency, the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Makes a model part by part.
pub struct Builder {
    pub model: Model,
    at: u32,
}

impl Builder {
    pub fn new() -> Self {
        let span = Span { file: FileId(0), start: 0, end: 1 };
        let object = |name: &str, kind, scope| Object {
            name: name.into(),
            kind,
            scope,
            span,
            trusted: None,
            lets_control: None,
        };
        let place = |path: &str| PathUse { path: path.into(), span };
        let model = Model {
            aliases: capc::model::Aliases::default(),
            name: "twin".into(),
            file: capc::model::FileKind::System,
            objects: vec![
                object("reconfigure", ObjectKind::Reconfigure, RECONFIGURE),
                object("outside", ObjectKind::Outside, OUTSIDE),
                object("/", ObjectKind::Scope(Box::new(Scope { parent: None, lends_trust: false })), SYSTEM),
            ],
            facets: Vec::new(),
            capabilities: Vec::new(),
            derivations: Vec::new(),
            given: Vec::new(),
            nevers: Vec::new(),
            onlys: Vec::new(),
            trusts: Vec::new(),
            waivers: Vec::new(),
            passings: Vec::new(),
            code: Vec::new(),
            integrity: Vec::new(),
            root: Root {
                config: place("/etc/capc"),
                store: place("/var/lib/capc"),
                key: place("/etc/capc/keys/root"),
                init: None,
            },
        };
        Self { model, at: 1 }
    }

    pub fn span(&mut self) -> Span {
        self.at += 10;
        Span { file: FileId(0), start: self.at, end: self.at + 5 }
    }

    pub fn place(&mut self, path: &str) -> PathUse {
        PathUse { path: path.into(), span: self.span() }
    }

    pub fn object(&mut self, name: String, kind: ObjectKind, scope: ObjectId) -> ObjectId {
        let span = self.span();
        self.model.objects.push(Object {
            name: name.into(),
            kind,
            scope,
            span,
            trusted: None,
            lets_control: None,
        });
        ObjectId(self.model.objects.len() as u32 - 1)
    }

    pub fn capability(&mut self, target: Target, part: Option<Arc<str>>) -> CapId {
        let known =
            self.model.capabilities.iter().position(|known| known.target == target && known.part == part);
        if let Some(at) = known {
            return CapId(at as u32);
        }
        let (name, kind, path) = match target {
            Target::Resource(object) => {
                let object = self.model.object(object);
                let resource = object.resource().unwrap();
                let path = match resource {
                    Resource::Path { path, .. } => Some(path.clone()),
                    _ => None,
                };
                (object.name.to_string(), resource.kind(), path)
            }
            Target::Facet(facet) => {
                let facet = self.model.facet(facet);
                let path = match &facet.transport {
                    Transport::Mount(place) => Some(place.path.clone()),
                    _ => None,
                };
                (format!("{}.{}", self.model.object(facet.owner).name, facet.name), facet.kind(), path)
            }
        };
        let (name, path) = match &part {
            None => (name, path),
            Some(part) => (format!("{name}/{part}"), path.map(|path| format!("{path}/{part}").into())),
        };
        self.model.capabilities.push(Capability { name: name.into(), target, part, kind, path });
        CapId(self.model.capabilities.len() as u32 - 1)
    }

    pub fn derive(
        &mut self,
        rule: Rule,
        from: Option<Premise>,
        holder: ObjectId,
        capability: CapId,
        rights: Rights,
    ) -> &mut Derivation {
        let span = self.span();
        let statement = if from.is_some() { Statement::Holds } else { Statement::Given };
        self.model.derivations.push(Derivation {
            rule,
            from,
            introduces: None,
            holder,
            capability,
            rights,
            exact: false,
            when: When::Start,
            statement,
            span,
            capability_span: span,
            rights_span: span,
            receiver_span: span,
        });
        self.model.derivations.last_mut().unwrap()
    }

    pub fn resource(&mut self, name: String, resource: Resource) -> CapId {
        let kind = resource.kind();
        let object = self.object(name, ObjectKind::Resource(resource), SYSTEM);
        let capability = self.capability(Target::Resource(object), None);
        self.derive(Rule::Axiom, None, RECONFIGURE, capability, kind.all());
        let from = Some(Premise { holder: RECONFIGURE, capability });
        self.derive(Rule::Endowment, from, SYSTEM, capability, kind.all()).statement = Statement::Given;
        capability
    }

    pub fn facet(&mut self, owner: ObjectId, name: &str, transport: Transport) -> CapId {
        let span = self.span();
        let id = FacetId(self.model.facets.len() as u32);
        self.model.facets.push(Facet {
            owner,
            name: name.into(),
            transport,
            activated: false,
            data_only: false,
            exposes: Vec::new(),
            span,
        });
        match &mut self.model.objects[owner.index()].kind {
            ObjectKind::Service(process) | ObjectKind::Program(process) => process.facets.push(id),
            ObjectKind::Powerbox(powerbox) => powerbox.ask = Some(id),
            _ => {}
        }
        let capability = self.capability(Target::Facet(id), None);
        let kind = self.model.facet(id).kind();
        if !matches!(kind, Kind::Control | Kind::Launch | Kind::Ask) {
            self.derive(Rule::Creation, None, owner, capability, kind.all());
        }
        let scope = self.model.object(owner).scope;
        self.derive(Rule::Creation, None, scope, capability, kind.all());
        capability
    }
}

const PATHS: [&str; 9] =
    ["/srv", "/srv/a", "/srv/a/x", "/srv/ab", "/data", "/data/b", "/usr/lib/l", "/etc/capc/c", "/opt/bin"];

/// Few paths for all, or nothing is ever shared; dangerous ones rarely, or everything always is.
fn usual(dice: &mut Dice) -> &'static str {
    if dice.one_in(12) { PATHS[6 + dice.below(3)] } else { PATHS[dice.below(6)] }
}

fn some_rights(dice: &mut Dice, kind: Kind) -> Rights {
    let rights = Rights(dice.next() as u8).and(kind.all());
    if rights.is_empty() || dice.one_in(3) { kind.least() } else { rights }
}

fn ip(dice: &mut Dice) -> Address {
    Address::Ip {
        protocol: if dice.one_in(5) { Protocol::Udp } else { Protocol::Tcp },
        host: if dice.one_in(2) { "127.0.0.1" } else { "10.0.0.1" }.into(),
        port: 80 + dice.below(2) as u16,
    }
}

fn resource(dice: &mut Dice) -> Resource {
    let path: Arc<str> = usual(dice).into();
    match dice.below(18) {
        0..=3 => Resource::Path { kind: Kind::Dir, path },
        4 => Resource::Path { kind: Kind::File, path },
        5 => Resource::Path { kind: Kind::State, path },
        6 => Resource::Path { kind: Kind::Secret, path },
        7 => {
            let own: Arc<str> = format!("{path}/s").into();
            let path = if dice.one_in(10) { "/run/docker.sock".into() } else { own };
            Resource::Path { kind: Kind::Socket, path }
        }
        8 | 9 => Resource::Identity { user: dice.one_in(2).then(|| "pg".to_owned()), group: None },
        10 => Resource::Listen(if dice.one_in(2) {
            Address::Unix(format!("{path}/l").into())
        } else {
            ip(dice)
        }),
        11 => Resource::Listen(ip(dice)),
        12 => Resource::Connect(ip(dice)),
        13 | 14 => {
            let path = if dice.one_in(10) { "/dev/sda".into() } else { path };
            Resource::Path { kind: Kind::Device, path }
        }
        15 => Resource::Network,
        16 => Resource::Privilege(if dice.one_in(10) { "CAP_SYS_ADMIN" } else { "CAP_NET_RAW" }.into()),
        _ => Resource::Caller("tty".into()),
    }
}

/// A random model in the making.
struct Random {
    dice: Dice,
    make: Builder,
    scopes: Vec<ObjectId>,
    capabilities: Vec<CapId>,
    /// Services and programs.
    processes: Vec<ObjectId>,
    /// Those, users and powerboxes.
    subjects: Vec<ObjectId>,
}

/// Returns a random model in which about everything that the model knows happens.
pub fn random(seed: u64) -> Model {
    let mut random = Random {
        dice: Dice::new(seed),
        make: Builder::new(),
        scopes: vec![SYSTEM],
        capabilities: Vec::new(),
        processes: Vec::new(),
        subjects: Vec::new(),
    };
    random.resources_and_scopes();
    for number in 0..2 + random.dice.below(3) {
        random.process(number);
    }
    random.people();
    random.parts();
    random.grants();
    random.exposures();
    random.assertions();
    let mut model = random.make.model;
    // "`as X` is a holding of `X`": without it the machine is refused, and there is nothing to compare.
    let held = capc::holdings::derive(&model);
    for (at, object) in model.objects.iter_mut().enumerate() {
        if let ObjectKind::Service(process) | ObjectKind::Program(process) = &mut object.kind {
            let holder = ObjectId(at as u32);
            process.identity = process.identity.filter(|(identity, _)| held.get(holder, *identity).is_some());
        }
    }
    model
}

impl Random {
    fn resources_and_scopes(&mut self) {
        for number in 0..2 + self.dice.below(5) {
            let resource = resource(&mut self.dice);
            self.capabilities.push(self.make.resource(format!("r{number}"), resource));
        }
        let mut parent = SYSTEM;
        for name in ["m/", "m/n/"] {
            if self.dice.one_in(2) {
                break;
            }
            let scope = Scope { parent: Some(parent), lends_trust: self.dice.one_in(2) };
            let inner = self.make.object(name.into(), ObjectKind::Scope(Box::new(scope)), parent);
            for capability in self.capabilities.clone() {
                if self.dice.one_in(2) {
                    let rights = some_rights(&mut self.dice, self.make.model.capability(capability).kind);
                    let from = Some(Premise { holder: parent, capability });
                    self.make.derive(Rule::Endowment, from, inner, capability, rights);
                }
            }
            self.scopes.push(inner);
            parent = inner;
        }
    }

    fn transport(&mut self) -> Transport {
        let dice = &mut self.dice;
        let of_listen = |id: &CapId| self.make.model.capability(*id).kind == Kind::Listen;
        let listens: Vec<CapId> = self.capabilities.iter().copied().filter(of_listen).collect();
        match dice.below(9) {
            0 | 1 => Transport::Socket(self.make.place("/run/x/s")),
            2 => Transport::Channel,
            3 => Transport::Tcp(Address::Ip {
                protocol: Protocol::Tcp,
                host: if dice.one_in(2) { "::1" } else { "0.0.0.0" }.into(),
                port: 80 + dice.below(2) as u16,
            }),
            4 | 5 if !listens.is_empty() => Transport::Listen(*dice.pick(&listens)),
            6 => {
                let path = usual(dice);
                Transport::Mount(self.make.place(path))
            }
            7 => Transport::Done,
            _ => Transport::Socket(self.make.place("/run/y/s")),
        }
    }

    fn process(&mut self, number: usize) {
        let home = if self.dice.one_in(3) { *self.dice.pick(&self.scopes) } else { SYSTEM };
        let dice = &mut self.dice;
        let mut process = Service::default();
        let program =
            if dice.one_in(3) { format!("{}/p", usual(dice)) } else { format!("/opt/bin/{number}") };
        process.program = Some(self.make.place(&program));
        if dice.one_in(5) {
            process.config = vec![self.make.place(usual(dice))];
        }
        if dice.one_in(6) {
            process.image = vec![self.make.place(usual(dice))];
        }
        if dice.one_in(6) {
            process.argument_paths = vec![self.make.place(usual(dice))];
        }
        if dice.one_in(8) {
            process.prepare = Some((self.make.place("/data/b/prepare"), Vec::new()));
        }
        if dice.one_in(60) {
            process.unconfined = Some(self.make.span());
        }
        let id = if dice.one_in(4) {
            let id = self.make.object(format!("p{number}"), ObjectKind::Program(Box::new(process)), home);
            self.capabilities.push(self.make.facet(id, "launch", Transport::Launch));
            id
        } else {
            let id = self.make.object(format!("s{number}"), ObjectKind::Service(Box::new(process)), home);
            for facet in 0..self.dice.below(3) {
                let transport = self.transport();
                let capability = self.make.facet(id, &format!("f{facet}"), transport);
                let made = self.make.model.facets.last_mut().unwrap();
                made.activated = self.dice.one_in(4);
                made.data_only = self.dice.one_in(4);
                self.capabilities.push(capability);
            }
            let control = self.make.facet(id, "control", Transport::Control);
            if self.dice.one_in(3) {
                self.capabilities.push(control);
            }
            id
        };
        let span = self.make.span();
        let object = &mut self.make.model.objects[id.index()];
        object.trusted = self.dice.one_in(3).then_some(span);
        object.lets_control = self.dice.one_in(20).then_some(span);
        self.processes.push(id);
        self.subjects.push(id);
    }

    fn people(&mut self) {
        if self.dice.one_in(3) {
            let user = self.make.object("u".into(), ObjectKind::User(Box::default()), SYSTEM);
            self.subjects.push(user);
        }
        if self.dice.one_in(3) {
            let powerbox = self.make.object("x".into(), ObjectKind::Powerbox(Box::default()), SYSTEM);
            let ask = self.make.facet(powerbox, "ask", Transport::Ask);
            // More often than by chance, or nobody ever asks.
            self.capabilities.extend([ask, ask]);
            self.subjects.push(powerbox);
            if self.dice.one_in(10) {
                let span = self.make.span();
                self.make.model.objects[powerbox.index()].lets_control = Some(span);
            }
        }
    }

    fn parts(&mut self) {
        for _ in 0..self.dice.below(3) {
            let whole = *self.dice.pick(&self.capabilities);
            let known = self.make.model.capability(whole).clone();
            if matches!(known.kind, Kind::Dir | Kind::State | Kind::Mount) && known.part.is_none() {
                let part = self.make.capability(known.target, Some("x".into()));
                let rights = some_rights(&mut self.dice, known.kind);
                let from = Some(Premise { holder: SYSTEM, capability: whole });
                let made = self.make.derive(Rule::Creation, from, SYSTEM, part, rights);
                made.statement = Statement::Attenuate;
                self.capabilities.push(part);
            }
        }
    }

    fn grants(&mut self) {
        for subject in self.subjects.clone() {
            let home = self.make.model.object(subject).scope;
            for _ in 0..self.dice.below(4) {
                let capability = *self.dice.pick(&self.capabilities);
                let kind = self.make.model.capability(capability).kind;
                let rights = some_rights(&mut self.dice, kind);
                let late = self.dice.one_in(4);
                let from = Some(Premise { holder: home, capability });
                let made = self.make.derive(Rule::Endowment, from, subject, capability, rights);
                made.when = if late { When::Use } else { When::Start };
                made.exact = true;
                let span = made.span;
                match &mut self.make.model.objects[subject.index()].kind {
                    ObjectKind::Service(process) | ObjectKind::Program(process) if kind == Kind::Identity => {
                        process.identity = Some((capability, span));
                    }
                    ObjectKind::Powerbox(powerbox) => {
                        powerbox.offers.push(Exposure { capability, rights: Some(rights), span });
                    }
                    _ => {}
                }
            }
        }
        for _ in 0..self.dice.below(5) {
            let (from, to) = (*self.dice.pick(&self.processes), *self.dice.pick(&self.processes));
            let capability = *self.dice.pick(&self.capabilities);
            let kind = self.make.model.capability(capability).kind;
            let (rights, exact) = if self.dice.one_in(2) {
                (kind.all(), false)
            } else {
                (some_rights(&mut self.dice, kind), true)
            };
            let from = Some(Premise { holder: from, capability });
            let made = self.make.derive(Rule::Introduction, from, to, capability, rights);
            (made.introduces, made.exact, made.statement) = (Some(to), exact, Statement::Grants);
        }
    }

    fn exposures(&mut self) {
        for at in 0..self.make.model.facets.len() {
            if matches!(self.make.model.facets[at].transport, Transport::Launch | Transport::Ask) {
                continue;
            }
            for _ in 0..self.dice.below(3) {
                let capability = *self.dice.pick(&self.capabilities);
                let named = some_rights(&mut self.dice, self.make.model.capability(capability).kind);
                let rights = self.dice.one_in(2).then_some(named);
                let exposure = Exposure { capability, rights, span: self.make.span() };
                self.make.model.facets[at].exposes.push(exposure);
            }
        }
    }

    fn subject(&mut self) -> ObjectId {
        if self.dice.one_in(4) { OUTSIDE } else { *self.dice.pick(&self.subjects) }
    }

    fn assertions(&mut self) {
        for number in 0..4 {
            let capability = *self.dice.pick(&self.capabilities);
            let rights = some_rights(&mut self.dice, self.make.model.capability(capability).kind);
            let level = if self.dice.one_in(2) { Level::Hold } else { Level::Reach };
            let span = self.make.span();
            let scope = if self.dice.one_in(4) { *self.dice.pick(&self.scopes) } else { SYSTEM };
            if number == 3 {
                let mut subjects = vec![(self.subject(), span), (self.subject(), span)];
                subjects.dedup();
                let only = Only { scope, subjects, level, capability, rights, span, capability_span: span };
                self.make.model.onlys.push(only);
                continue;
            }
            let subject = self.subject();
            self.make.model.nevers.push(Never {
                scope,
                subject,
                level,
                capability,
                rights,
                span,
                subject_span: span,
                capability_span: span,
            });
        }
    }
}
