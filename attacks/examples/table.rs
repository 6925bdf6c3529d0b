//! Prints what attacks can do in no world, in bubblewrap's and in capc's, area by area: `docs/security.md` has the table.
//!
//! As root: `cargo build -p capc && cargo run -p capc-attacks --example table`.

use capc_attacks::outside::Outside;
use capc_attacks::report::{Line, open};
use capc_attacks::world;
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

type World<'w> = (&'w str, Vec<Line>);

fn main() -> Result<(), Box<dyn Error>> {
    let own = std::env::current_exe()?;
    // `target/PROFILE/examples/table`.
    let built = own.parent().and_then(|examples| examples.parent()).ok_or("no build directory")?;
    let (program, capc) = (built.join("capc-attacks"), built.join("capc"));
    let outside = |name: &str| {
        Outside::new(&PathBuf::from(format!("/srv/capc-attack-{}-{name}", std::process::id())), &program)
    };
    let mut worlds: Vec<World> = vec![("none, as root", world::nothing(&mut outside("nothing")?)?)];
    match world::bubblewrap(&mut outside("bubblewrap")?) {
        Ok(lines) => worlds.push(("bubblewrap", lines)),
        Err(error) => eprintln!("bubblewrap is left out: {error}"),
    }
    worlds.push(("capc, as root", world::capc(&capc, &mut outside("root")?)?));
    worlds.push(("capc, as a plain user", world::capc_of_a_user(&capc, &mut outside("plain")?)?));
    print(&worlds);
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
    for (name, lines) in worlds.iter().filter(|(name, _)| name.starts_with("capc")) {
        println!("\nOpen in {name}:");
        open(lines).iter().for_each(|name| println!("- {name}"));
    }
}
