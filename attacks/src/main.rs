//! Tries from inside a world what nobody in it was given, and says what came of each: `capc-attacks KEY=VALUE…`.
//!
//! Each attempt runs in a child of its own, so that a filter that kills is an answer too. One line each on standard
//! output: `open` or `closed`, the area, what was tried, and the error. The arguments say where what lies; see [`Aim`].
//! With `--outside` it makes what attacks aim at, where it is started.
//! With `--probe` it tries instead what one capability should let it do; see [`probe`].
//! Outside of every world, as root, most of it is open: that shows that the attempts are real.

mod aim;
mod attempt;
mod attempts;
mod probe;

use aim::Aim;
use capc_attacks::outside::{OUTSIDE, Outside};
use std::io;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    // What an attempt starts, if it can start it: it has then succeeded.
    if std::env::args().nth(1).as_deref() == Some(aim::SUCCEED) {
        return ExitCode::SUCCESS;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == probe::PROBE
    {
        return probe::run(rest);
    }
    if let [first, base, uid] = arguments.as_slice()
        && first == OUTSIDE
    {
        return match outside(base, uid) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("capc-attacks: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let aim = match Aim::from_arguments(arguments.into_iter()) {
        Ok(aim) => aim,
        Err(error) => {
            eprintln!("capc-attacks: {error}");
            return ExitCode::from(2);
        }
    };
    let (mut open, mut tried) = (0, 0);
    for (area, attacks) in attempts::AREAS {
        for attack in *attacks {
            let outcome = attempt::outcome(attack, &aim);
            let word = if outcome == attempt::Outcome::Open { "open" } else { "closed" };
            println!("{word}\t{area}\t{}\t{outcome}", attack.name);
            tried += 1;
            open += usize::from(word == "open");
        }
    }
    println!("{tried} tried, {open} open");
    ExitCode::SUCCESS
}

/// Makes what lies outside, says the arguments of an attack, one a line and an empty one behind, and stays until the end of
/// its standard input.
fn outside(base: &str, uid: &str) -> io::Result<()> {
    let uid = uid.parse().map_err(io::Error::other)?;
    let mut outside = Outside::new(Path::new(base), &std::env::current_exe()?)?;
    for argument in outside.arguments(uid)? {
        println!("{argument}");
    }
    println!();
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
