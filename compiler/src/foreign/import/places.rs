//! Where a command runs and what it names: paths that its world should have.

use super::mapping::Mapping;
use super::service::clean;
use crate::syntax::print::kdl::string;

/// Notes the paths that a command names; whether its world has them is known once all is granted.
pub fn note(mapping: &mut Mapping<'_>, words: &[String]) {
    const CODE: [&str; 7] = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/dev"];
    let mut named: Vec<String> = Vec::new();
    for text in words.iter().skip(1) {
        let text = text.split_once('=').map_or(text.as_str(), |(_, path)| path);
        let Some(path) = clean(text).filter(|path| path != "/" && !named.contains(path)) else { continue };
        let is_code = CODE.iter().any(|root| crate::model::path_contains(root, &path));
        if !is_code && !text.contains(char::is_whitespace) {
            named.push(path);
        }
    }
    for path in named {
        mapping.out.named.push(path);
    }
}

/// Names the paths of its command that its world has not, and writes `workdir` down where it has the directory.
pub fn workdir(mapping: &mut Mapping<'_>) {
    for path in std::mem::take(&mut mapping.out.named) {
        if !mapping.out.has_path(&path) {
            let shown = super::service::shown(&path);
            mapping.out.remarks.push(format!(
                "its command names `{shown}`, which its world has not: `config {}` if it only reads that, or a `dir` or `file` that it holds",
                string(&path)
            ));
        }
    }
    let Some(setting) = mapping.last("WorkingDirectory") else { return };
    let Some(said) = mapping.expand(&setting, &setting.value) else { return };
    match clean(said.trim_start_matches('-')) {
        Some(path) if path == "/" => {}
        Some(path) if mapping.out.has_path(&path) || path == "/tmp" => {
            mapping.out.say(format!("workdir {}", string(&path)), "WorkingDirectory");
        }
        Some(path) => {
            let what = format!(
                "its world has nothing there: hold what it needs of it, and write `workdir {}`",
                string(&path)
            );
            mapping.out.remark(&setting, what);
        }
        None => mapping.out.remark(&setting, "write `workdir` with the directory's path"),
    }
}
