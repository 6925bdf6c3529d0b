//! The order in which services wait for each other.

use capc_supervisor::Plan;
use std::collections::BTreeMap;

/// Returns all services, each after those that it waits for.
#[must_use]
pub fn in_order(plan: &Plan) -> Vec<&str> {
    let mut missing: BTreeMap<&str, usize> = BTreeMap::new();
    let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for service in &plan.services {
        missing.insert(&service.name, service.waits.len());
        for wait in &service.waits {
            waiting.entry(&wait.on).or_default().push(&service.name);
        }
    }
    let mut order: Vec<&str> =
        missing.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    let mut next = 0;
    while let Some(name) = order.get(next).copied() {
        next += 1;
        for other in waiting.get(name).into_iter().flatten() {
            if let Some(count) = missing.get_mut(other) {
                *count -= 1;
                if *count == 0 {
                    order.push(other);
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_stand_after_what_they_wait_for() {
        let service = |name: &str, on: &[&str]| {
            let waits: Vec<_> = on.iter().map(|on| format!(r#"{{"on":"{on}","until":"ready"}}"#)).collect();
            format!(
                r#"{{"name":"{name}","waits":[{}],"oneshot":false,"prepares":false,"schedule":null,"restart":"never",
                "ready":"started","ready_sockets":[],"ready_ports":[],"descriptors":[],
                "stop":{{"signal":"TERM","within_ms":1}},"reload":null,"start_within_ms":1}}"#,
                waits.join(",")
            )
        };
        let services =
            [service("a", &["b", "c"]), service("b", &["c"]), service("c", &[]), service("d", &[])];
        let text = format!(
            r#"{{"format":"capc/plan/1","name":"s","mode":"root","facets":[],"channels":[],"services":[{}]}}"#,
            services.join(",")
        );
        let plan = Plan::from_json(text.as_bytes()).unwrap();
        assert_eq!(in_order(&plan), ["c", "d", "b", "a"]);
    }
}
