//! Commands: `run`, `prepare`, `reload`.

use super::mapping::Mapping;
use super::places;
use super::service::clean;
use super::unit::Setting;
use super::words::{Word, split};
use crate::machine::{FileType, walk};
use crate::syntax::print::kdl::string;

/// Where systemd looks for a program that is named without its directory.
const PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A command of a unit.
struct Command {
    words: Vec<String>,
    /// The letters before the program.
    prefixes: String,
}

/// Writes `run`, `prepare` and `reload` down.
///
/// # Errors
/// Why there is nothing to run.
pub fn commands(mapping: &mut Mapping<'_>) -> Result<(), String> {
    let starts = mapping.all("ExecStart");
    let (first, others) = starts.split_first().ok_or("it runs no program (`ExecStart=`)")?;
    let before = mapping.out.remarks.len();
    let mut commands = commands_of(mapping, first);
    if commands.is_empty() {
        // What was told of its words is the reason.
        let why = mapping.out.remarks.get(before..).unwrap_or_default().join("; ");
        let said = if why.is_empty() { first.said() } else { why };
        return Err(format!("its program cannot be told: {said}"));
    }
    let command = commands.remove(0);
    mapping.out.say(format!("run {}", line(&command.words)), "ExecStart");
    prefixes(mapping, first, &command);
    for more in commands {
        let what = format!(
            "a further command, `{}`: write a service of its own for it, or one script for both",
            line(&more.words)
        );
        mapping.out.remark(first, what);
    }
    for other in others {
        mapping
            .out
            .remark(other, "a further command: write a service of its own for it, or one script for all");
    }
    places::note(mapping, &command.words);
    prepare(mapping);
    reload(mapping);
    Ok(())
}

fn prepare(mapping: &mut Mapping<'_>) {
    let settings = mapping.all("ExecStartPre");
    let what = "it runs before: do it by hand, in `prepare` (which runs in the same world), or in a oneshot";
    let [setting] = settings.as_slice() else {
        settings.iter().for_each(|setting| mapping.out.remark(setting, what));
        return;
    };
    let mut commands = commands_of(mapping, setting);
    match commands.pop() {
        Some(command) if commands.is_empty() && !command.prefixes.contains(['+', '!', '-']) => {
            mapping.out.say(format!("prepare {}", line(&command.words)), "ExecStartPre");
            prefixes(mapping, setting, &command);
        }
        Some(command) if command.prefixes.contains(['+', '!']) => {
            mapping
                .out
                .remark(setting, "it ran before, with root's privileges; do what it does once, by hand");
        }
        Some(_) => mapping.out.remark(setting, what),
        None => mapping.out.remark(setting, "its program cannot be told"),
    }
}

fn reload(mapping: &mut Mapping<'_>) {
    for setting in mapping.all("ExecReload") {
        let words: Vec<String> =
            split(&setting.value).unwrap_or_default().into_iter().map(|word| word.text).collect();
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        let signal = match texts.as_slice() {
            [kill, signal, "$MAINPID" | "${MAINPID}"] if is_kill(kill) => {
                signal.strip_prefix('-').map(|signal| signal.strip_prefix("SIG").unwrap_or(signal))
            }
            [kill, "-s", signal, "$MAINPID" | "${MAINPID}"] if is_kill(kill) => {
                Some(signal.strip_prefix("SIG").unwrap_or(signal))
            }
            _ => None,
        };
        let signal = signal.map(|signal| if signal == "1" { "HUP" } else { signal });
        let is_said = mapping.out.statements.iter().any(|one| one.from == "ExecReload=");
        match signal.filter(|signal| super::rules::SIGNALS.contains(signal) && !is_said) {
            Some(signal) => mapping.out.say(format!("reload signal={}", string(signal)), "ExecReload"),
            None => {
                mapping.out.remark(&setting, "`reload` sends a signal: write `reload signal=\"HUP\"` if one makes it read its configuration again");
            }
        }
    }
}

/// Returns the commands of a setting that can be told.
fn commands_of(mapping: &mut Mapping<'_>, setting: &Setting) -> Vec<Command> {
    let Some(words) = split(&setting.value) else { return Vec::new() };
    words.split(|word| word.is_end).filter_map(|words| command(mapping, setting, words)).collect()
}

fn command(mapping: &mut Mapping<'_>, setting: &Setting, words: &[Word]) -> Option<Command> {
    let (first, rest) = words.split_first()?;
    let program = first.text.trim_start_matches(['-', '@', ':', '+', '!', '|']);
    let prefixes = first.text.strip_suffix(program)?.to_owned();
    let program = mapping.expand(setting, program)?;
    let mut found: Vec<String> = vec![absolute(mapping, &program)?];
    // With `@` the second word is the name that the program is called by.
    for word in rest.iter().skip(usize::from(prefixes.contains('@'))) {
        let text = mapping.expand(setting, &word.text)?;
        match prefixes.contains(':') {
            true => found.push(text),
            false => found.extend(replaced(mapping, setting, &text)),
        }
    }
    Some(Command { words: found, prefixes })
}

/// Returns the path of a program, looked for as systemd does where its directory is not said.
fn absolute(mapping: &Mapping<'_>, program: &str) -> Option<String> {
    if program.starts_with('/') {
        let is_directory = |path: &String| {
            walk(mapping.machine, path).is_ok_and(|found| found.metadata.file_type == FileType::Directory)
        };
        return clean(program).filter(|path| path != "/" && !is_directory(path));
    }
    let is_name = !program.is_empty() && !program.contains(['/', '\0']) && program != "..";
    let found = PATH.iter().map(|directory| format!("{directory}/{program}")).find(|path| {
        walk(mapping.machine, path).is_ok_and(|found| found.metadata.file_type == FileType::Regular)
    });
    found.filter(|_| is_name)
}

/// Returns what a word of a command becomes when its variables are put in (systemd.service(5), "Command lines").
fn replaced(mapping: &mut Mapping<'_>, setting: &Setting, text: &str) -> Vec<String> {
    if let Some(name) = text.strip_prefix('$').filter(|name| !name.starts_with(['$', '{'])) {
        return match value(mapping, setting, name) {
            Some(value) => split(&value).unwrap_or_default().into_iter().map(|word| word.text).collect(),
            None => Vec::new(),
        };
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        rest = match (after.strip_prefix('$'), after.strip_prefix('{').and_then(|name| name.split_once('}')))
        {
            (Some(after), _) => {
                out.push('$');
                after
            }
            (None, Some((name, after))) => {
                out.push_str(&value(mapping, setting, name).unwrap_or_default());
                after
            }
            (None, None) => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    vec![out]
}

fn value(mapping: &mut Mapping<'_>, setting: &Setting, name: &str) -> Option<String> {
    let known = mapping.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let shown = super::service::shown(name);
    if known.is_none() {
        mapping.out.remark(
            setting,
            format!("`${shown}` is set by no `Environment=`: it is left out; write what it stands for"),
        );
    } else if !mapping.unit.counting("Service", "EnvironmentFile").is_empty() {
        mapping
            .out
            .remark(setting, format!("`${shown}` may be set otherwise by a file of `EnvironmentFile=`"));
    }
    known
}

fn prefixes(mapping: &mut Mapping<'_>, setting: &Setting, command: &Command) {
    for (letter, what) in [
        ('-', "`-`: systemd takes a failure of it for success; here a failure is one"),
        ('@', "`@`: it was called by another name than its own; here by its path"),
        ('+', "`+`: it ran with root's privileges, whatever the unit says besides; here with what it holds"),
        ('!', "`!`: it ran with the privileges of root; here with what it holds"),
        ('|', "`|`: it ran by way of a shell of its user; write the shell into `run`"),
    ] {
        if command.prefixes.contains(letter) {
            mapping.out.remark(setting, what);
        }
    }
}

/// Returns a command as the language writes it.
fn line(words: &[String]) -> String {
    words.iter().map(|word| string(word)).collect::<Vec<_>>().join(" ")
}

fn is_kill(program: &str) -> bool {
    program.trim_start_matches(['-', '+']).rsplit('/').next() == Some("kill")
}
