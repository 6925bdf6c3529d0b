//! The names of units: `capc-` and the service's path, so that no two services share one.

/// What the whole system is started and stopped by.
pub const TARGET: &str = "capc.target";
/// What is there before any service: sockets, and the directories of facets.
pub const GROUND: &str = "capc-sockets.target";
/// What keeps socket pairs.
pub const CHANNELS: &str = "capc-channels.service";
/// Where the directories of facets are mounted.
pub const FACETS: &str = "/run/capc/facets";

/// The longest name of a unit (systemd.unit(5)).
const LONGEST: usize = 255;
/// A path of a service that would give it the name of a unit that is not its own.
const TAKEN: &str = "channels";

/// Returns the name of a unit of a service.
///
/// # Errors
/// When it is too long for one.
pub fn unit(service: &str, kind: &str) -> Result<String, String> {
    let mut name = "capc-".to_owned();
    for (at, byte) in service.bytes().enumerate() {
        match byte {
            // Nobody else's name has this: letters are written as they are.
            _ if at == 0 && service == TAKEN => name.push_str(&escaped(byte)),
            b'/' => name.push(':'),
            b'_' | b'.' | b'-' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&escaped(byte)),
        }
    }
    short(format!("{name}.{kind}"), || format!("`{service}`"))
}

/// Returns the name of the mount unit of a facet's directory, which follows from its path (systemd-escape(1)).
///
/// # Errors
/// When it is too long for one.
pub fn mount(key: &str) -> Result<String, String> {
    let path = format!("{FACETS}/{key}");
    let mut name = String::new();
    for byte in path.bytes().skip(1) {
        match byte {
            b'/' => name.push('-'),
            b'_' | b'.' | b':' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&escaped(byte)),
        }
    }
    short(format!("{name}.mount"), || format!("the facet `{key}`"))
}

fn escaped(byte: u8) -> String {
    format!("\\x{byte:02x}")
}

fn short(name: String, whose: impl FnOnce() -> String) -> Result<String, String> {
    if name.len() <= LONGEST {
        return Ok(name);
    }
    Err(format!(
        "the unit of {} would have a name of {} letters, and systemd takes {LONGEST}: give it a shorter path",
        whose(),
        name.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(service: &str, expected: &str) {
        assert_eq!(unit(service, "service").unwrap(), format!("{expected}.service"));
    }

    #[test]
    fn a_units_name_is_the_services_path() {
        check("nginx", "capc-nginx");
        check("shop/nginx", "capc-shop:nginx");
        check("shop/front-end/nginx.2", "capc-shop:front-end:nginx.2");
    }

    #[test]
    fn no_two_services_share_a_name() {
        check("shop:nginx", r"capc-shop\x3anginx");
        check(r"a\x3ab", r"capc-a\x5cx3ab");
        check("a@b c%d", r"capc-a\x40b\x20c\x25d");
        check("ä", r"capc-\xc3\xa4");
        check("channels", r"capc-\x63hannels");
        check("shop/channels", "capc-shop:channels");
    }

    #[test]
    fn a_name_that_systemd_would_not_take_is_refused() {
        assert!(unit(&"a".repeat(242), "service").is_ok());
        let refused = unit(&"a".repeat(243), "service").unwrap_err();
        assert!(refused.contains("would have a name of 256 letters"), "{refused}");
        assert!(mount(&"ä".repeat(40)).is_err());
    }

    #[test]
    fn a_mount_is_named_after_its_place() {
        assert_eq!(mount("shop+db.sql").unwrap(), r"run-capc-facets-shop\x2bdb.sql.mount");
        assert_eq!(mount("front-end.x").unwrap(), r"run-capc-facets-front\x2dend.x.mount");
    }
}
