//! What a service finds.

use crate::world::{Caller, World, check};

const BOTH: [Caller; 2] = [Caller::Root, Caller::User];

#[test]
fn a_service_starts_and_ends_as_it_likes() {
    for caller in BOTH {
        check(&World::shell(caller, "echo hello"), "hello\n");
        let output = World::shell(caller, "exit 42").output();
        assert_eq!(output.status.code(), Some(42), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
