//! Every file of `testdata/`: what is refused is refused for the one reason that its directory names, and near misses pass.

use crate::scene::repository;
use capc::diag::Diagnostic;
use capc::emit::report::{self, Colour};
use capc::source::RealFiles;

#[test]
fn every_fixture_is_judged_as_its_place_says() {
    let testdata = repository().join("testdata");
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../../testdata/snapshots", omit_expression => true }, {
        insta::glob!("../../../testdata", "{accept,reject,attack,lint}/**/*.{kdl,toml}", |path| {
            let name = path.strip_prefix(testdata.canonicalize().unwrap()).unwrap().to_string_lossy().into_owned();
            if name.contains("/modules/") {
                return;
            }
            let compilation = capc::compile(&RealFiles, path, &name);
            let parts: Vec<&str> = name.split('/').collect();
            let (sources, mut diagnostics) = (compilation.sources, compilation.diagnostics);
            // A mistake is shown without what else could be said of so small a file.
            if matches!(parts.as_slice(), ["reject" | "attack", ..]) {
                diagnostics.retain(Diagnostic::is_error);
            }
            let mut codes: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code.word()).collect();
            // What the title says of each of several shows in as many reports.
            if parts.last().is_some_and(|file| file.starts_with("each-")) {
                assert!(codes.len() > 1, "{name} shows one thing of several: {codes:?}");
                codes.dedup();
            }
            match parts.as_slice() {
                // What is right may be warned about: that shows in its snapshot.
                ["accept", ..] => {
                    assert!(!diagnostics.iter().any(Diagnostic::is_error), "{name} has nothing wrong with it: {codes:?}");
                }
                ["reject" | "lint", code, ..] => assert_eq!(codes, [*code], "{name} shows one thing"),
                _ => assert_ne!(codes, Vec::<&str>::new(), "{name} gains authority"),
            }
            insta::assert_snapshot!(report::human(&diagnostics, &sources, Colour::Off, 100));
        });
    });
}
