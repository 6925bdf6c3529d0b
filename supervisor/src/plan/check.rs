//! Whether the parts of a plan fit together.

use std::collections::BTreeSet;

use super::{Channel, Descriptor, Plan, PlanError, Ready, Service};

impl Plan {
    /// Refuses a plan whose parts do not fit together.
    ///
    /// A circle of waits is no loose end: the compiler refuses it, and here those in it are named and not started.
    pub fn check(&self) -> Result<(), PlanError> {
        let mut names = BTreeSet::new();
        for service in &self.services {
            check_path("service name", &service.name)?;
            if !names.insert(service.name.as_str()) {
                return refuse(format!("two services are named `{}`", service.name));
            }
        }
        self.check_facets()?;
        let mut ends = BTreeSet::new();
        for service in &self.services {
            self.check_service(service, &names, &mut ends)?;
        }
        self.check_channels(ends)
    }

    fn check_facets(&self) -> Result<(), PlanError> {
        let mut keys = BTreeSet::new();
        for facet in &self.facets {
            check_path("facet key", &facet.key)?;
            if !keys.insert(facet.key.as_str()) {
                return refuse(format!("two facets have the key `{}`", facet.key));
            }
        }
        for key in &keys {
            // INVARIANT: no facet's directory lies inside another's.
            let above =
                key.match_indices('/').filter_map(|(at, _)| key.get(..at)).find(|above| keys.contains(above));
            if let Some(above) = above {
                return refuse(format!("facet `{key}` would lie inside facet `{above}`"));
            }
        }
        Ok(())
    }

    fn check_service<'a>(
        &'a self,
        service: &'a Service,
        names: &BTreeSet<&str>,
        ends: &mut BTreeSet<(&'a str, &'a str)>,
    ) -> Result<(), PlanError> {
        let own = &service.name;
        for wait in &service.waits {
            if !names.contains(wait.on.as_str()) {
                return refuse(format!("`{own}` waits for `{}`, which the plan does not have", wait.on));
            }
        }
        if service.schedule.is_some() && !service.oneshot {
            return refuse(format!("`{own}` has a schedule, and does not run to its end"));
        }
        let nothing_listens = service.ready_sockets.is_empty() && service.ready_ports.is_empty();
        if (service.ready == Ready::Socket) == nothing_listens {
            return refuse(format!(
                "`{own}`: ready_sockets and ready_ports belong to ready `socket`, and to it alone"
            ));
        }
        for descriptor in &service.descriptors {
            match descriptor {
                Descriptor::Listen { name, address: _ } => check_word("descriptor name", name)?,
                Descriptor::Activated { name, facet, file } => {
                    check_word("descriptor name", name)?;
                    check_path("socket file", file)?;
                    if file.contains('/') || !self.facets.iter().any(|other| other.key == *facet) {
                        return refuse(format!("`{own}`: descriptor `{name}` is in no facet of the plan"));
                    }
                }
                Descriptor::Channel { name } => {
                    check_word("descriptor name", name)?;
                    if !ends.insert((own, name)) {
                        return refuse(format!("`{own}` has two channel ends named `{name}`"));
                    }
                }
            }
        }
        Ok(())
    }

    fn check_channels<'a>(&'a self, mut ends: BTreeSet<(&'a str, &'a str)>) -> Result<(), PlanError> {
        for channel in &self.channels {
            let Channel { maker, maker_name, holder, holder_name } = channel;
            for (service, name) in [(maker, maker_name), (holder, holder_name)] {
                if !ends.remove(&(service.as_str(), name.as_str())) {
                    return refuse(format!(
                        "channel end `{name}` of `{service}` is no free descriptor of that service"
                    ));
                }
            }
        }
        match ends.first() {
            Some((service, name)) => {
                refuse(format!("channel end `{name}` of `{service}` belongs to no channel"))
            }
            None => Ok(()),
        }
    }
}

/// Refuses what could name another place than one below a given directory.
fn check_path(what: &str, path: &str) -> Result<(), PlanError> {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..")
            && !name.starts_with('-')
            && name.len() <= 255
            && name.chars().all(|letter| !letter.is_whitespace() && !letter.is_control())
    };
    if path.split('/').all(is_name) {
        Ok(())
    } else {
        refuse(format!("{what} {path:?} is not a plain name or path"))
    }
}

fn check_word(what: &str, word: &str) -> Result<(), PlanError> {
    let is_word = !word.is_empty() && !word.contains(|letter: char| letter.is_control());
    if is_word { Ok(()) } else { refuse(format!("{what} {word:?} is not a plain word")) }
}

fn refuse<T>(why: String) -> Result<T, PlanError> {
    Err(PlanError(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"format":"capc/plan/1","name":"hello","mode":"root",
        "facets":[{"key":"a.http","uid":4001,"gid":4001}],
        "channels":[{"maker":"a","maker_name":"talk.b","holder":"shop/b","holder_name":"a.talk"}],
        "services":[
          {"name":"a","waits":[],"oneshot":false,"prepares":false,"schedule":null,"restart":"on-failure","ready":"socket","ready_sockets":["/run/a/x"],
           "ready_ports":[80],"descriptors":[{"kind":"listen","name":"http","address":"tcp:[::]:8080"},
             {"kind":"activated","name":"h","facet":"a.http","file":"http.sock"},{"kind":"channel","name":"talk.b"}],
           "stop":{"signal":"TERM","within_ms":10000},"reload":"HUP","start_within_ms":60000},
          {"name":"shop/b","waits":[{"on":"a","until":"ready"}],"oneshot":true,"prepares":true,"schedule":"Mon 03:00 UTC","restart":"never","ready":"started",
           "ready_sockets":[],"ready_ports":[],"descriptors":[{"kind":"channel","name":"a.talk"}],
           "stop":{"signal":"INT","within_ms":1},"reload":null,"start_within_ms":60000}]}"#;

    /// Replaces `from` in the whole plan and compares the refusal; an empty one means that the plan is accepted.
    #[track_caller]
    fn check(from: &str, to: &str, refusal: &str) {
        assert!(WHOLE.contains(from), "the sample has no {from}");
        match Plan::from_json(WHOLE.replace(from, to).as_bytes()) {
            Ok(plan) => {
                assert_eq!(refusal, "", "accepted");
                assert_eq!(Plan::from_json(plan.to_json().unwrap().as_bytes()).unwrap(), plan);
            }
            Err(error) => {
                assert!(!refusal.is_empty() && error.to_string().contains(refusal), "{error}");
            }
        }
    }

    #[test]
    fn a_whole_plan_is_read_and_written_back() {
        check("{", "{", "");
    }

    #[test]
    fn unknown_words_are_refused_at_every_depth() {
        check(r#""name":"hello""#, r#""name":"hello","colour":1"#, "unknown field `colour`");
        check(r#""oneshot":true"#, r#""oneshot":true,"nice":1"#, "unknown field `nice`");
        check(r#""file":"http.sock""#, r#""file":"http.sock","mode":7"#, "unknown field `mode`");
        check(r#""restart":"never""#, r#""restart":"sometimes""#, "unknown variant `sometimes`");
        check("capc/plan/1", "capc/plan/2", "unknown variant `capc/plan/2`");
        check(r#""signal":"INT""#, r#""signal":"SIGINT""#, "unknown variant `SIGINT`");
    }

    #[test]
    fn names_are_unique_and_plain() {
        check("shop/b", "a", "two services are named `a`");
        for name in ["", "..", "a/../b", "/b", "b/", "--wait", "b c"] {
            check(r#""name":"shop/b""#, &format!(r#""name":"{name}""#), "is not a plain name or path");
        }
    }

    #[test]
    fn loose_ends_are_refused() {
        check(r#""on":"a""#, r#""on":"c""#, "waits for `c`, which the plan does not have");
        check(r#""facet":"a.http""#, r#""facet":"a.https""#, "is in no facet");
        check(r#""file":"http.sock""#, r#""file":"x/http.sock""#, "is in no facet");
        check(r#""holder_name":"a.talk""#, r#""holder_name":"a.walk""#, "is no free descriptor");
        check(r#"{"kind":"channel","name":"a.talk"}"#, "", "is no free descriptor");
        check(
            r#""channels":[{"maker":"a","maker_name":"talk.b","holder":"shop/b","holder_name":"a.talk"}]"#,
            r#""channels":[]"#,
            "belongs to no channel",
        );
        check(r#""ready_ports":[]"#, r#""ready_ports":[1]"#, "belong to ready `socket`");
    }

    #[test]
    fn a_facet_inside_another_is_refused_and_one_beside_it_is_not() {
        let facet = r#"{"key":"a.http","uid":4001,"gid":4001}"#;
        check(facet, &format!(r#"{facet},{{"key":"a.http/b.x","uid":1,"gid":1}}"#), "would lie inside");
        check(facet, &format!(r#"{facet},{{"key":"a.https/b.x","uid":1,"gid":1}}"#), "");
        check(facet, &format!("{facet},{facet}"), "two facets");
    }

    #[test]
    fn addresses_are_numbers_or_absolute_paths() {
        for good in ["udp:127.0.0.1:53", "unix:/run/x.sock", "tcp:0.0.0.0:0"] {
            check("tcp:[::]:8080", good, "");
        }
        for bad in [
            "tcp:localhost:80",
            "unix:run/x",
            "tcp:",
            "http:127.0.0.1:80",
            "127.0.0.1:80",
            "tcp:1.2.3.4:70000",
        ] {
            check("tcp:[::]:8080", bad, "is not tcp:ADDR:PORT");
        }
    }
}
