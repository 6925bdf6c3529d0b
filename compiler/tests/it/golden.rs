//! Every file of `testdata/`: what is refused is refused for the one reason that its directory names, and near misses pass.

use crate::scene::repository;
use capc::emit::report::{self, Colour};
use capc::source::RealFiles;

#[test]
fn every_fixture_is_judged_as_its_place_says() {
    let testdata = repository().join("testdata");
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "../../../testdata/snapshots", omit_expression => true }, {
        insta::glob!("../../../testdata", "{accept,reject,attack}/**/*.kdl", |path| {
            let name = path.strip_prefix(testdata.canonicalize().unwrap()).unwrap().to_string_lossy().into_owned();
            if name.contains("/modules/") {
                return;
            }
            let compilation = capc::compile(&RealFiles, path, &name);
            let codes: Vec<&str> = compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.word()).collect();
            match name.split('/').collect::<Vec<_>>().as_slice() {
                ["accept", ..] => assert_eq!(codes, Vec::<&str>::new(), "{name} has nothing wrong with it"),
                ["reject", code, ..] => assert_eq!(codes, [*code], "{name} shows one mistake"),
                _ => assert_ne!(codes, Vec::<&str>::new(), "{name} gains authority"),
            }
            insta::assert_snapshot!(report::human(&compilation.diagnostics, &compilation.sources, Colour::Off, 100));
        });
    });
}
