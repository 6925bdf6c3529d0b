//! Holdings against a second implementation without cleverness, on many small random systems, and laws of the model.

use capc::holdings;
use capc::model::{Model, ObjectId};
use capc::resolve::resolve;
use capc::source::Files;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

struct Text(String);

impl Files for Text {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Ok(self.0.clone().into_bytes())
    }
}

/// A small generator (xorshift*), the same on every machine.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % sides
    }
}

/// One statement of a random system, so that one can be left out.
fn random_system(dice: &mut Dice) -> (Vec<Vec<String>>, u64) {
    let services = 2 + dice.roll(5);
    let mut bodies = Vec::new();
    for service in 0..services {
        let mut body = vec![format!("run \"/usr/bin/s{service}\""), "provides f channel=#true".to_owned()];
        for _ in 0..dice.roll(4) {
            let statement = match dice.roll(5) {
                0 => format!(
                    "holds d{} {}",
                    dice.roll(3),
                    ["", "read", "modify read", "write"][dice.roll(4) as usize]
                ),
                1 => format!("holds d{} path=\"p\"", dice.roll(3)),
                _ => format!("holds s{}.f", dice.roll(services)),
            };
            body.push(statement);
        }
        for _ in 0..dice.roll(4) {
            let what = match dice.roll(3) {
                0 => format!("d{}", dice.roll(3)),
                1 => format!("d{} read", dice.roll(3)),
                _ => format!("s{}.f", dice.roll(services)),
            };
            body.push(format!("grants {what} to=s{}", dice.roll(services)));
        }
        bodies.push(body);
    }
    (bodies, services)
}

fn text(bodies: &[Vec<String>]) -> String {
    let mut text = "system random\ndir d0 \"/srv/d0\"\ndir d1 \"/srv/d1\"\nfile d2 \"/srv/d2\"\n".to_owned();
    for (service, body) in bodies.iter().enumerate() {
        text += &format!("service s{service} {{\n{}\n}}\n", body.join("\n"));
    }
    text
}

fn model(bodies: &[Vec<String>]) -> Model {
    let resolved = resolve(&Text(text(bodies)), Path::new("/x.kdl"), "x.kdl");
    resolved.model.unwrap()
}

/// Who holds which right of what.
type Facts = BTreeSet<(String, String, u8)>;

/// The rules as they are written, applied until nothing is new.
fn naive(model: &Model) -> Facts {
    let name = |id: ObjectId| model.object(id).name.to_string();
    let mut facts = Facts::new();
    loop {
        let before = facts.len();
        for rule in &model.derivations {
            for bit in 0..8u8 {
                let named = rule.rights.0 & (1 << bit) != 0;
                let held = rule.from.is_none_or(|from| {
                    facts.contains(&(
                        name(from.holder),
                        model.capability(from.capability).name.to_string(),
                        bit,
                    ))
                });
                let introduced = rule.introduces.is_none_or(|object| {
                    let granter = name(rule.from.unwrap().holder);
                    facts.iter().any(|(holder, capability, _)| {
                        *holder == granter && capability.starts_with(&format!("{}.", name(object)))
                    })
                });
                if named && held && introduced {
                    facts.insert((
                        name(rule.holder),
                        model.capability(rule.capability).name.to_string(),
                        bit,
                    ));
                }
            }
        }
        if facts.len() == before {
            return facts;
        }
    }
}

fn derived(model: &Model) -> Facts {
    let mut facts = Facts::new();
    for holding in holdings::derive(model).all() {
        for bit in 0..8u8 {
            if holding.rights.0 & (1 << bit) != 0 {
                let names = (
                    model.object(holding.holder).name.to_string(),
                    model.capability(holding.capability).name.to_string(),
                );
                facts.insert((names.0, names.1, bit));
            }
        }
    }
    facts
}

#[test]
fn holdings_are_the_least_fixed_point_and_each_is_explained() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for _ in 0..2000 {
        let (bodies, _) = random_system(&mut dice);
        let model = model(&bodies);
        assert_eq!(derived(&model), naive(&model), "{}", text(&bodies));
        let holdings = holdings::derive(&model);
        for holding in holdings.all() {
            for right in holding.rights.each() {
                let steps = holdings.steps(&model, holding, right);
                assert!(
                    steps.first().is_some_and(|first| first.from.is_none()),
                    "begins with an axiom: {}",
                    text(&bodies)
                );
                assert!(steps.iter().all(|step| step.rights.contains(right)), "no right grows on the way");
                assert_eq!(steps.last().map(|last| last.holder), Some(holding.holder));
            }
        }
    }
}

#[test]
fn removing_a_statement_never_adds_authority() {
    let mut dice = Dice(7);
    for _ in 0..1000 {
        let (mut bodies, services) = random_system(&mut dice);
        let all = derived(&model(&bodies));
        let body = &mut bodies[dice.roll(services) as usize];
        if body.len() > 2 {
            body.remove(2 + dice.roll(body.len() as u64 - 2) as usize);
            let fewer = derived(&model(&bodies));
            assert!(fewer.is_subset(&all), "{}", text(&bodies));
        }
    }
}
