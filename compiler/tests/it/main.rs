//! What a user could notice, tried from outside: files in, words and worlds out.
//!
//! Tests that start services as root say so when they are run by somebody else, and try the plain user's way only.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "in a test a panic is the verdict")]

mod scene;

mod tidy;
mod trace;
mod transaction;
mod booted;
mod systemd;
mod herded;
mod shepherd;
mod shepherd_faults;
mod shepherd_user;
mod scheme;
mod guix;
mod faults;
mod power;
mod chain;
mod fido;
mod keys;
mod drift;
mod schemas;
mod golden;
mod docs;
mod kdl;
mod laws;
mod limits;
mod order_of_input;
mod races;
mod machine;
mod cli;
mod daemons;
mod denied;
mod diff;
mod pictures;
mod why;
mod fmt;
mod from;
mod import;
mod answers;
mod attend;
mod index;
mod bad_input;
mod regressions;
mod formats;
mod reference;
mod generation;
mod hello;
mod home;
mod mistakes;
mod world;
mod passing;
mod steer;
mod up;
mod web;
mod boot;
