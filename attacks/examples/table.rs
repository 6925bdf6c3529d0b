//! Prints what attacks can do in no world, in bubblewrap's, in a hardened unit of systemd's and in capc's, area by area:
//! `docs/security.md` has the table. Fails when something is open in capc's that is not explained there.
//!
//! As root: `cargo build -p capc -p capc-attacks && cargo run -p capc-attacks --example table`.

use capc_attacks::known::unknown;
use capc_attacks::outside::Outside;
use capc_attacks::report::{Line, open};
use capc_attacks::world::{LEAST_ABI, Landlock, Maker};
use capc_attacks::{unit, world};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

type World<'w> = (&'w str, Vec<Line>);

fn main() -> Result<(), Box<dyn Error>> {
    let own = std::env::current_exe()?;
    // `target/PROFILE/examples/table`.
    let built = own.parent().and_then(|examples| examples.parent()).ok_or("no build directory")?;
    let (program, capc) = (built.join("capc-attacks"), built.join("capc"));
    let base = |name: &str| PathBuf::from(format!("/srv/capc-attack-{}-{name}", std::process::id()));
    let outside = |name: &str| Outside::new(&base(name), &program);
    let mut worlds: Vec<World> = vec![("none, as root", world::nothing(&mut outside("nothing")?)?)];
    match world::bubblewrap(&mut outside("bubblewrap")?) {
        Ok(lines) => worlds.push(("bubblewrap, as a plain user", lines)),
        Err(error) => eprintln!("bubblewrap is left out: {error}"),
    }
    let mut notes = Vec::new();
    match unit::systemd(&base("systemd"), &program) {
        Ok((lines, judged)) => {
            worlds.push(("systemd, hardened", lines));
            notes.push(format!("The unit by `systemd-analyze security`: {judged}"));
        }
        Err(error) => eprintln!("systemd is left out: {error}"),
    }
    for (name, maker, landlock) in [
        ("capc, as root", Maker::Root, Landlock::Whole),
        ("the same, Landlock ABI 4", Maker::Root, Landlock::Abi(LEAST_ABI)),
        ("capc, as a plain user", Maker::User, Landlock::Whole),
        ("the same, Landlock ABI 4", Maker::User, Landlock::Abi(LEAST_ABI)),
    ] {
        let lines = world::capc(&capc, &mut outside("capc")?, maker, landlock)?;
        if let [first, ..] = unknown(&lines, maker, landlock).as_slice() {
            return Err(format!("open and not explained, {name}: {}", first.name).into());
        }
        worlds.push((name, lines));
    }
    print(&worlds);
    for (name, lines) in worlds.iter().skip(1) {
        notes.push(format!("Open, {name}: {}", open(lines).join("; ")));
    }
    notes.iter().for_each(|note| println!("\n{note}"));
    Ok(())
}

fn print(worlds: &[World]) {
    let names: Vec<&str> = worlds.iter().map(|(name, _)| *name).collect();
    println!("| area | tried | {} |", names.join(" | "));
    println!("| --- | ---: |{}", " ---: |".repeat(worlds.len()));
    let area = |line: &Line| line.name.split(": ").next().unwrap_or_default().to_owned();
    let mut areas: Vec<String> = Vec::new();
    let mut counts: BTreeMap<(String, usize), (usize, usize)> = BTreeMap::new();
    for (number, (_, lines)) in worlds.iter().enumerate() {
        for line in lines {
            if !areas.contains(&area(line)) {
                areas.push(area(line));
            }
            let (tried, open) = counts.entry((area(line), number)).or_default();
            *tried += 1;
            *open += usize::from(line.open);
        }
    }
    let row = |area: &str, count: &dyn Fn(usize) -> (usize, usize)| {
        let open: Vec<String> = (0..worlds.len()).map(|number| count(number).1.to_string()).collect();
        println!("| {area} | {} | {} |", count(0).0, open.join(" | "));
    };
    for area in &areas {
        row(area, &|number| counts.get(&(area.clone(), number)).copied().unwrap_or_default());
    }
    row("all", &|number| worlds.get(number).map_or((0, 0), |(_, lines)| (lines.len(), open(lines).len())));
}
