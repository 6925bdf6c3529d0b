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
            is_whole: true,
            objects: vec![
                object("reconfigure", ObjectKind::Reconfigure, RECONFIGURE),
                object("outside", ObjectKind::Outside, OUTSIDE),
                object("/", ObjectKind::Scope(Box::new(Scope { parent: None, lends_trust: false })), SYSTEM),
            ],
            facets: Vec::new(),
            capabilities: Vec::new(),
            derivations: Vec::new(),
            nevers: Vec::new(),
            onlys: Vec::new(),
            trusts: Vec::new(),
            waivers: Vec::new(),
            code: Vec::new(),
            root: Root {
                config: place("/etc/capc"),
                store: place("/var/lib/capc"),
                key: place("/etc/capc/keys/root"),
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
        if let ObjectKind::Service(service) = &mut self.model.objects[owner.index()].kind {
            service.facets.push(id);
        }
        let capability = self.capability(Target::Facet(id), None);
        let kind = self.model.facet(id).kind();
        if kind != Kind::Control {
            self.derive(Rule::Creation, None, owner, capability, kind.all());
        }
        let scope = self.model.object(owner).scope;
        self.derive(Rule::Creation, None, scope, capability, kind.all());
        capability
    }
}

const PATHS: [&str; 9] =
    ["/srv", "/srv/a", "/srv/a/x", "/srv/ab", "/data", "/data/b", "/usr/lib/l", "/etc/capc/c", "/opt/bin"];

fn some_rights(dice: &mut Dice, kind: Kind) -> Rights {
    let rights = Rights(dice.next() as u8).and(kind.all());
    if rights.is_empty() || dice.one_in(3) { kind.least() } else { rights }
}

/// Returns a random model in which about everything that the model knows happens.
pub fn random(seed: u64) -> Model {
    let mut dice = Dice::new(seed);
    let mut make = Builder::new();
    let mut capabilities: Vec<CapId> = Vec::new();
    // Few paths for all, or nothing is ever shared; dangerous ones rarely, or everything always is.
    let usual =
        |dice: &mut Dice| if dice.one_in(12) { PATHS[6 + dice.below(2)] } else { PATHS[dice.below(6)] };
    for number in 0..2 + dice.below(5) {
        let path: Arc<str> = usual(&mut dice).into();
        let ip = |dice: &mut Dice| Address::Ip {
            protocol: if dice.one_in(5) { Protocol::Udp } else { Protocol::Tcp },
            host: if dice.one_in(2) { "127.0.0.1" } else { "10.0.0.1" }.into(),
            port: 80 + dice.below(2) as u16,
        };
        let resource = match dice.below(11) {
            0..=2 => Resource::Path { kind: Kind::Dir, path },
            3 => Resource::Path { kind: Kind::File, path },
            4 => Resource::Path { kind: Kind::State, path },
            5 => Resource::Path { kind: Kind::Secret, path },
            6 => Resource::Path { kind: Kind::Socket, path: format!("{path}/s").into() },
            7 => Resource::Identity { user: dice.one_in(2).then(|| "pg".to_owned()), group: None },
            8 => Resource::Listen(if dice.one_in(3) {
                Address::Unix(format!("{path}/l").into())
            } else {
                ip(&mut dice)
            }),
            9 => Resource::Listen(ip(&mut dice)),
            _ => Resource::Connect(ip(&mut dice)),
        };
        capabilities.push(make.resource(format!("r{number}"), resource));
    }
    let scope = if dice.one_in(2) {
        let lends_trust = dice.one_in(2);
        let scope = Scope { parent: Some(SYSTEM), lends_trust };
        Some(make.object("m/".into(), ObjectKind::Scope(Box::new(scope)), SYSTEM))
    } else {
        None
    };
    if let Some(scope) = scope {
        for capability in capabilities.clone() {
            if dice.one_in(2) {
                let rights = some_rights(&mut dice, make.model.capability(capability).kind);
                make.derive(
                    Rule::Endowment,
                    Some(Premise { holder: SYSTEM, capability }),
                    scope,
                    capability,
                    rights,
                );
            }
        }
    }
    let mut services = Vec::new();
    for number in 0..2 + dice.below(4) {
        let home = scope.filter(|_| dice.one_in(3)).unwrap_or(SYSTEM);
        let mut service = Service::default();
        let program =
            if dice.one_in(3) { format!("{}/p", usual(&mut dice)) } else { format!("/opt/bin/{number}") };
        service.program = Some(make.place(&program));
        if dice.one_in(5) {
            service.config = vec![make.place(usual(&mut dice))];
        }
        if dice.one_in(6) {
            service.image = vec![make.place(usual(&mut dice))];
        }
        if dice.one_in(6) {
            service.argument_paths = vec![make.place(usual(&mut dice))];
        }
        if dice.one_in(8) {
            service.prepare = Some((make.place("/data/b/prepare"), Vec::new()));
        }
        let id = make.object(format!("s{number}"), ObjectKind::Service(Box::new(service)), home);
        services.push(id);
        for facet in 0..dice.below(3) {
            let listens: Vec<CapId> = capabilities
                .iter()
                .copied()
                .filter(|id| make.model.capability(*id).kind == Kind::Listen)
                .collect();
            let transport = match dice.below(9) {
                0..=2 => Transport::Socket(make.place("/run/x/s")),
                3 => Transport::Channel,
                4 => Transport::Tcp(Address::Ip {
                    protocol: Protocol::Tcp,
                    host: if dice.one_in(2) { "::1" } else { "0.0.0.0" }.into(),
                    port: 80 + dice.below(2) as u16,
                }),
                5 if !listens.is_empty() => Transport::Listen(*dice.pick(&listens)),
                6 => Transport::Mount(make.place(usual(&mut dice))),
                7 => Transport::Done,
                _ => Transport::Socket(make.place("/run/y/s")),
            };
            let capability = make.facet(id, &format!("f{facet}"), transport);
            let made = make.model.facets.last_mut().unwrap();
            made.activated = dice.one_in(4);
            made.data_only = dice.one_in(4);
            capabilities.push(capability);
        }
        let control = make.facet(id, "control", Transport::Control);
        if dice.one_in(3) {
            capabilities.push(control);
        }
        if dice.one_in(3) {
            let span = make.span();
            make.model.objects[id.index()].trusted = Some(span);
        }
    }
    for _ in 0..dice.below(3) {
        let whole = *dice.pick(&capabilities);
        let known = make.model.capability(whole).clone();
        if matches!(known.kind, Kind::Dir | Kind::State | Kind::Mount) && known.part.is_none() {
            let part = make.capability(known.target, Some("x".into()));
            let rights = some_rights(&mut dice, known.kind);
            make.derive(
                Rule::Creation,
                Some(Premise { holder: SYSTEM, capability: whole }),
                SYSTEM,
                part,
                rights,
            )
            .statement = Statement::Attenuate;
            capabilities.push(part);
        }
    }
    for service in services.clone() {
        let home = make.model.object(service).scope;
        for _ in 0..dice.below(4) {
            let capability = *dice.pick(&capabilities);
            let kind = make.model.capability(capability).kind;
            let rights = some_rights(&mut dice, kind);
            let late = dice.one_in(4);
            let made = make.derive(
                Rule::Endowment,
                Some(Premise { holder: home, capability }),
                service,
                capability,
                rights,
            );
            made.when = if late { When::Use } else { When::Start };
            made.exact = true;
            let span = made.span;
            if kind == Kind::Identity
                && let ObjectKind::Service(service) = &mut make.model.objects[service.index()].kind
            {
                service.identity = Some((capability, span));
            }
        }
    }
    for _ in 0..dice.below(5) {
        let (from, to) = (*dice.pick(&services), *dice.pick(&services));
        let capability = *dice.pick(&capabilities);
        let kind = make.model.capability(capability).kind;
        let (rights, exact) =
            if dice.one_in(2) { (kind.all(), false) } else { (some_rights(&mut dice, kind), true) };
        let made = make.derive(
            Rule::Introduction,
            Some(Premise { holder: from, capability }),
            to,
            capability,
            rights,
        );
        (made.introduces, made.exact, made.statement) = (Some(to), exact, Statement::Grants);
    }
    for at in 0..make.model.facets.len() {
        for _ in 0..dice.below(3) {
            let capability = *dice.pick(&capabilities);
            let named = some_rights(&mut dice, make.model.capability(capability).kind);
            let exposure =
                Exposure { capability, rights: dice.one_in(2).then_some(named), span: make.span() };
            make.model.facets[at].exposes.push(exposure);
        }
    }
    for _ in 0..3 {
        let subject = if dice.one_in(4) { OUTSIDE } else { *dice.pick(&services) };
        let capability = *dice.pick(&capabilities);
        let rights = some_rights(&mut dice, make.model.capability(capability).kind);
        let level = if dice.one_in(2) { Level::Hold } else { Level::Reach };
        let span = make.span();
        let asking = scope.filter(|_| dice.one_in(4)).unwrap_or(SYSTEM);
        make.model.nevers.push(Never {
            scope: asking,
            subject,
            level,
            capability,
            rights,
            span,
            subject_span: span,
            capability_span: span,
        });
    }
    // "`as X` is a holding of `X`": without it the machine is refused, and there is nothing to compare.
    let held = super::naive::holdings(&make.model);
    for (at, object) in make.model.objects.iter_mut().enumerate() {
        if let ObjectKind::Service(service) = &mut object.kind {
            let holder = ObjectId(at as u32);
            service.identity =
                service.identity.filter(|(identity, _)| held.contains(&(holder, *identity, 0)));
        }
    }
    make.model
}
