//! The words of the `sd_notify` protocol that the supervisor listens to.

use rustix::process::Pid;

/// What one datagram says. Words that are not ours to act on are passed over, as the protocol wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Notification {
    /// `MAINPID=`: the service's main process.
    pub(crate) main: Option<Pid>,
    /// `X_CAPC_KEEPER=`: the process on which the service's world stands.
    pub(crate) keeper: Option<Pid>,
    /// `READY=1`.
    pub(crate) ready: bool,
    /// `STATUS=`, in the service's own words.
    pub(crate) status: Option<Vec<u8>>,
}

impl Notification {
    /// Reads a datagram.
    pub(crate) fn read(datagram: &[u8]) -> Notification {
        let mut notification = Notification::default();
        for line in datagram.split(|byte| *byte == b'\n') {
            let Some(at) = line.iter().position(|byte| *byte == b'=') else { continue };
            let (word, value) = (line.get(..at).unwrap_or_default(), line.get(at + 1..).unwrap_or_default());
            match word {
                b"MAINPID" => notification.main = pid(value),
                b"X_CAPC_KEEPER" => notification.keeper = pid(value),
                b"READY" => notification.ready = value == b"1",
                b"STATUS" => notification.status = Some(value.to_vec()),
                _ => {}
            }
        }
        notification
    }
}

/// Reads the number of a process; 1 and below are nobody's child.
fn pid(text: &[u8]) -> Option<Pid> {
    let number: i32 = std::str::from_utf8(text).ok()?.parse().ok()?;
    if number > 1 { Pid::from_raw(number) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(datagram: &str, main: i32, keeper: i32, ready: bool, status: Option<&str>) {
        let status = status.map(|text| text.as_bytes().to_vec());
        let expected =
            Notification { main: Pid::from_raw(main), keeper: Pid::from_raw(keeper), ready, status };
        assert_eq!(Notification::read(datagram.as_bytes()), expected);
    }

    #[test]
    fn words_are_read_and_others_passed_over() {
        check("MAINPID=12\nX_CAPC_KEEPER=11\nREADY=1", 12, 11, true, None);
        check("READY=1\nSTATUS=up = yes\nWATCHDOG=1\n", 0, 0, true, Some("up = yes"));
        check("", 0, 0, false, None);
    }

    #[test]
    fn numbers_that_are_nobodys_child_are_no_process() {
        for text in ["0", "1", "-5", "+", "", "99999999999", "x", " 7"] {
            check(&format!("MAINPID={text}"), 0, 0, false, None);
        }
        check("READY=0\nREADY", 0, 0, false, None);
    }
}
