pub(in crate::lower) use super::program::ARCHITECTURE;
use super::*;
use syscalls::x86_64::Sysno;

/// What the kernel does with a call, by the words of seccomp(2).
#[derive(Debug, PartialEq, Eq)]
pub(in crate::lower) enum Outcome {
    Allow,
    Errno(u32),
    Kill,
}

/// Runs a program as the kernel does, over `struct seccomp_data`.
pub(in crate::lower) fn run(
    program: &[Instruction],
    architecture: u32,
    number: u32,
    arguments: &[u64],
) -> Outcome {
    run_counting(program, architecture, number, arguments).0
}

/// Returns how many instructions were run, too.
fn run_counting(
    program: &[Instruction],
    architecture: u32,
    number: u32,
    arguments: &[u64],
) -> (Outcome, usize) {
    let mut data = [number.to_le_bytes(), architecture.to_le_bytes(), [0; 4], [0; 4]].concat();
    let filled = arguments.iter().copied().chain(std::iter::repeat(0)).take(6);
    data.extend(filled.flat_map(u64::to_le_bytes));
    let (mut at, mut a, mut count) = (0, 0_u32, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        count += 1;
        let test = match code {
            0x20 => {
                let word = data[k as usize..k as usize + 4].try_into().unwrap();
                a = u32::from_le_bytes(word);
                continue;
            }
            0x54 => {
                a &= k;
                continue;
            }
            0x05 => {
                at += k as usize;
                continue;
            }
            0x06 => {
                let outcome = match k & 0xffff_0000 {
                    0x7fff_0000 => Outcome::Allow,
                    0x0005_0000 => Outcome::Errno(k & 0xffff),
                    0x8000_0000 => Outcome::Kill,
                    other => panic!("{other:x}"),
                };
                return (outcome, count);
            }
            0x15 => a == k,
            0x35 => a >= k,
            0x45 => a & k != 0,
            other => panic!("{other:x}"),
        };
        at += usize::from(if test { jt } else { jf });
    }
}

const NO_NETWORK: Sockets = Sockets { tcp: false, udp: false, deaf: false, routes: false, data_only: false };
const TCP: Sockets = Sockets { tcp: true, udp: false, deaf: false, routes: false, data_only: false };
const EPERM: Outcome = Outcome::Errno(1);
const ENOSYS: Outcome = Outcome::Errno(38);
const EAFNOSUPPORT: Outcome = Outcome::Errno(97);

#[track_caller]
fn check(sockets: Sockets, call: Sysno, arguments: &[u64], expected: Outcome) {
    check_with(sockets, &Beyond::default(), call, arguments, expected);
}

#[track_caller]
fn check_with(sockets: Sockets, beyond: &Beyond, call: Sysno, arguments: &[u64], expected: Outcome) {
    let outcome = run(&filter(sockets, beyond), ARCHITECTURE, table::number(call), arguments);
    assert_eq!(outcome, expected, "{call} {arguments:x?}");
}

#[test]
fn every_number_has_the_verdict_of_the_table() {
    every_number(NO_NETWORK, &[]);
}

#[test]
fn no_call_costs_more_than_two_dozen_instructions() {
    for (sockets, beyond) in [(NO_NETWORK, Beyond::default()), (TCP, Beyond::default())] {
        let program = filter(sockets, &beyond);
        for number in 0..1000 {
            for argument in (0..70).chain([0x400, 0x402, 0x5412, u64::from(u32::MAX)]) {
                let arguments = [argument; 6];
                let (_, count) = run_counting(&program, ARCHITECTURE, number, &arguments);
                assert!(count <= 24, "{number} {argument:x}: {count}");
            }
        }
    }
}

#[test]
fn a_side_without_descriptors_makes_every_call_but_the_four_that_pass_them() {
    let four = [Sysno::sendmsg, Sysno::sendmmsg, Sysno::recvmsg, Sysno::recvmmsg];
    let data_only = Sockets { data_only: true, ..NO_NETWORK };
    every_number(data_only, &four.map(table::number));
    for call in four {
        for flags in [0, 0x40, u64::MAX] {
            check(data_only, call, &[3, 0, flags, flags], EPERM);
            check(NO_NETWORK, call, &[3, 0, 0x40, 0x40], Outcome::Allow);
        }
        assert!(passes_descriptors(table::number(call)));
    }
    for call in [Sysno::sendto, Sysno::recvfrom, Sysno::read, Sysno::write, Sysno::readv, Sysno::writev] {
        check(data_only, call, &[3, 0, 0, 0], Outcome::Allow);
    }
}

/// Compares what becomes of every number with the table, but for the calls that are withheld.
#[track_caller]
fn every_number(sockets: Sockets, withheld: &[u32]) {
    let program = filter(sockets, &Beyond::default());
    let granted: Vec<u32> = table::granted().filter(|number| !withheld.contains(number)).collect();
    let known: Vec<u32> = table::known().collect();
    let checked = checks::all(sockets, &Beyond::default()).into_iter().map(|(number, _)| number);
    let checked: Vec<u32> = checked.filter(|number| !withheld.contains(number)).collect();
    for number in (0..1000).chain([0x3fff_ffff]) {
        if checked.contains(&number) {
            continue;
        }
        let expected = match (granted.contains(&number), known.contains(&number)) {
            (true, true) => Outcome::Allow,
            (true, false) => panic!("{number} is granted and unknown"),
            (false, _) if table::absent().any(|absent| absent == number) => ENOSYS,
            (false, true) => EPERM,
            (false, false) => ENOSYS,
        };
        assert_eq!(run(&program, ARCHITECTURE, number, &[]), expected, "{number}");
    }
    // The kernel translates each of them at each start.
    assert!(program.len() < 170, "{}", program.len());
}

#[test]
fn a_call_is_in_one_group_only() {
    let mut seen = std::collections::BTreeSet::new();
    for number in table::granted()
        .chain(table::absent())
        .chain(checks::all(TCP, &Beyond::default()).into_iter().map(|(number, _)| number))
    {
        assert!(seen.insert(number), "{:?}", Sysno::new(number as usize));
    }
}

#[test]
fn other_abis_are_killed() {
    let program = filter(TCP, &Beyond::default());
    for (architecture, number) in
        [(0x4000_0003, 1), (0xc000_00b7, 1), (0, 0), (ARCHITECTURE, 0x4000_0000), (ARCHITECTURE, u32::MAX)]
    {
        assert_eq!(run(&program, architecture, number, &[]), Outcome::Kill);
    }
}

#[test]
fn nothing_that_reaches_beyond_the_world_is_granted() {
    use Sysno::*;
    let never = [
        unshare,
        setns,
        mount,
        umount2,
        pivot_root,
        chroot,
        open_tree,
        move_mount,
        fsopen,
        fsconfig,
        fsmount,
        fspick,
        mount_setattr,
        statmount,
        listmount,
        open_by_handle_at,
        io_uring_setup,
        io_uring_enter,
        io_uring_register,
        bpf,
        keyctl,
        add_key,
        request_key,
        ptrace,
        process_vm_readv,
        process_vm_writev,
        process_madvise,
        pidfd_getfd,
        kcmp,
        perf_event_open,
        userfaultfd,
        fanotify_init,
        reboot,
        kexec_load,
        kexec_file_load,
        swapon,
        swapoff,
        init_module,
        finit_module,
        delete_module,
        settimeofday,
        clock_settime,
        clock_adjtime,
        adjtimex,
        sethostname,
        setdomainname,
        iopl,
        ioperm,
        modify_ldt,
        acct,
        quotactl,
        syslog,
        vhangup,
        lookup_dcookie,
        move_pages,
        migrate_pages,
        file_setattr,
        open_tree_attr,
        quotactl_fd,
    ];
    for call in never {
        check(TCP, call, &[], EPERM);
    }
    check(TCP, clone3, &[], ENOSYS);
    check(TCP, openat2, &[], ENOSYS);
}

#[test]
fn sockets_are_of_the_granted_families_alone() {
    use Sysno::socket;
    const UNIX: u64 = 1;
    const INET: u64 = 2;
    const INET6: u64 = 10;
    const FLAGS: u64 = 0o2004000;
    for kind in [1, 2, 5, 1 | FLAGS] {
        check(NO_NETWORK, socket, &[UNIX, kind], Outcome::Allow);
        check(NO_NETWORK, Sysno::socketpair, &[UNIX, kind], Outcome::Allow);
    }
    check(NO_NETWORK, socket, &[UNIX, 3], EPERM);
    // Netlink, packet, vsock, kernel crypto, bluetooth, and one that is to come.
    for family in [16, 17, 40, 38, 31, 99, 0] {
        check(TCP, socket, &[family, 1], EAFNOSUPPORT);
        check(NO_NETWORK, socket, &[family, 2], EAFNOSUPPORT);
    }
    for family in [INET, INET6] {
        check(NO_NETWORK, socket, &[family, 1], EAFNOSUPPORT);
        check(NO_NETWORK, Sysno::socketpair, &[family, 1], EAFNOSUPPORT);
        for protocol in [0, 6] {
            check(TCP, socket, &[family, 1 | FLAGS, protocol], Outcome::Allow);
        }
        // MPTCP, SCTP, raw, UDP.
        for (kind, protocol) in [(1, 262), (1, 132), (3, 0), (2, 0), (2, 17)] {
            check(TCP, socket, &[family, kind, protocol], EPERM);
        }
        let udp = Sockets { tcp: false, udp: true, deaf: false, routes: false, data_only: false };
        check(udp, socket, &[family, 2 | FLAGS, 17], Outcome::Allow);
        check(udp, socket, &[family, 1], EPERM);
        check(udp, socket, &[family, 2, 136], EPERM);
    }
}

#[test]
fn tcp_fast_open_and_other_protocols_on_a_socket_are_refused() {
    use Sysno::*;
    const FAST_OPEN: u64 = 0x2000_0000;
    for (call, arguments) in
        [(sendto, [3, 0, 0, FAST_OPEN]), (sendmsg, [3, 0, FAST_OPEN, 0]), (sendmmsg, [3, 0, 1, FAST_OPEN])]
    {
        check(TCP, call, &arguments, EPERM);
        check(TCP, call, &[3, 0, 0, 0], Outcome::Allow);
    }
    for (level, option, expected) in [
        (6, 31, EPERM),
        (6, 30, EPERM),
        (6, 1, Outcome::Allow),
        (1, 26, EPERM),
        (1, 2, Outcome::Allow),
        (41, 26, Outcome::Allow),
    ] {
        check(TCP, setsockopt, &[3, level, option], expected);
    }
}

#[test]
fn processes_get_no_namespaces_and_the_init_no_children() {
    use Sysno::clone;
    // What glibc's fork and pthread_create say.
    for flags in [0x0120_0011, 0x003d_0f00, 0x4111, 0x11] {
        check(NO_NETWORK, clone, &[flags], Outcome::Allow);
    }
    for flags in
        [0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000, 0x8000]
    {
        check(NO_NETWORK, clone, &[flags | 0x11], EPERM);
    }
}

#[test]
fn set_id_modes_are_refused_wherever_a_register_has_them() {
    use Sysno::*;
    for bit in [0o4000, 0o2000] {
        for (call, arguments) in [
            (chmod, [0, bit | 0o755, 0, 0]),
            (fchmod, [0, bit, 0, 0]),
            (fchmodat, [0, 0, bit, 0]),
            (fchmodat2, [0, 0, bit, 0]),
            (mkdir, [0, bit, 0, 0]),
            (mkdirat, [0, 0, bit, 0]),
            (mknod, [0, bit, 0, 0]),
            (mknodat, [0, 0, bit, 0]),
            (creat, [0, bit, 0, 0]),
            (open, [0, 0o101, bit, 0]),
            (openat, [0, 0, 0o101, bit]),
            (openat, [0, 0, 0o20_200_002, bit]),
        ] {
            check(NO_NETWORK, call, &arguments, EPERM);
        }
    }
    check(NO_NETWORK, chmod, &[0, 0o1777], Outcome::Allow);
    // Without O_CREAT the third register is whatever the program left there.
    check(NO_NETWORK, open, &[0, 0o2, u64::MAX], Outcome::Allow);
    check(NO_NETWORK, openat, &[0, 0, 0o2_200_000, u64::MAX], Outcome::Allow);
}

#[test]
fn terminals_personalities_and_prctl_are_kept() {
    use Sysno::*;
    check(NO_NETWORK, ioctl, &[0, 0x5412], EPERM);
    check(NO_NETWORK, ioctl, &[0, 0xffff_ffff_0000_541c], EPERM);
    check(NO_NETWORK, ioctl, &[0, 0x5401], Outcome::Allow);
    check(NO_NETWORK, personality, &[0xffff_ffff], Outcome::Allow);
    check(NO_NETWORK, personality, &[0x0004_0000], EPERM);
    check(NO_NETWORK, prctl, &[15], Outcome::Allow);
    // PR_SET_MM, PR_SET_PTRACER, PR_SET_SECUREBITS.
    for option in [35, 0x5961_6d61, 28] {
        check(NO_NETWORK, prctl, &[option], EPERM);
    }
}

#[test]
fn a_service_that_only_connects_takes_no_port_by_listening() {
    check(Sockets { deaf: true, ..TCP }, Sysno::listen, &[3, 5], EPERM);
    check(TCP, Sysno::listen, &[3, 5], Outcome::Allow);
}

#[test]
fn a_reader_holds_up_no_writer_and_marks_no_passed_socket_for_good() {
    check(NO_NETWORK, Sysno::fcntl, &[3, 1024, 0], EPERM);
    check(NO_NETWORK, Sysno::fcntl, &[3, 1026, 0], EPERM);
    check(NO_NETWORK, Sysno::fcntl, &[3, 4, 0], Outcome::Allow);
    for option in [25, 44, 62] {
        check(NO_NETWORK, Sysno::setsockopt, &[3, 1, option], EPERM);
    }
}

#[test]
fn a_file_in_memory_is_no_program() {
    check(NO_NETWORK, Sysno::memfd_create, &[0, 0], ENOSYS);
    check(NO_NETWORK, Sysno::memfd_create, &[0, 1], ENOSYS);
    // MFD_EXEC, MFD_NOEXEC_SEAL with MFD_CLOEXEC.
    check(NO_NETWORK, Sysno::memfd_create, &[0, 0x10], ENOSYS);
    check(NO_NETWORK, Sysno::memfd_create, &[0, 9], Outcome::Allow);
    check(NO_NETWORK, Sysno::memfd_secret, &[], EPERM);
}

#[test]
fn a_filter_may_be_added_but_no_listener() {
    check(NO_NETWORK, Sysno::seccomp, &[1, 0], Outcome::Allow);
    check(NO_NETWORK, Sysno::seccomp, &[1, 8], EPERM);
}

#[test]
fn a_group_of_calls_admits_its_calls_and_no_others() {
    let with = |word: &str| Beyond { groups: vec![word.to_owned()], privileges: Vec::new() };
    check_with(NO_NETWORK, &with("io_uring"), Sysno::io_uring_setup, &[], Outcome::Allow);
    check_with(NO_NETWORK, &with("io_uring"), Sysno::bpf, &[], EPERM);
    check_with(NO_NETWORK, &with("namespaces"), Sysno::unshare, &[0x1000_0000], Outcome::Allow);
    check_with(NO_NETWORK, &with("namespaces"), Sysno::clone, &[0x1000_0000], Outcome::Allow);
    check_with(NO_NETWORK, &with("namespaces"), Sysno::clone, &[0x8000], EPERM);
    check_with(NO_NETWORK, &with("namespaces"), Sysno::mount, &[], EPERM);
    check_with(NO_NETWORK, &with("ptrace"), Sysno::clone, &[0x1000_0000], EPERM);
}

#[test]
fn every_group_of_the_language_admits_something() {
    for word in crate::resolve::SYSCALLS {
        let beyond = Beyond { groups: vec![word.to_owned()], privileges: Vec::new() };
        assert!(beyond.calls().next().is_some(), "{word}");
    }
}

#[test]
fn a_privilege_admits_the_calls_that_it_gates() {
    let with = |number: u8| Beyond { groups: Vec::new(), privileges: vec![number] };
    // CAP_SYS_TIME, CAP_NET_RAW, CAP_NET_ADMIN.
    check_with(NO_NETWORK, &with(25), Sysno::clock_settime, &[], Outcome::Allow);
    check_with(NO_NETWORK, &with(25), Sysno::reboot, &[], EPERM);
    check_with(NO_NETWORK, &with(13), Sysno::socket, &[2, 3, 1], Outcome::Allow);
    check_with(NO_NETWORK, &with(13), Sysno::socket, &[17, 3, 0], Outcome::Allow);
    check_with(NO_NETWORK, &with(13), Sysno::socket, &[2, 1, 0], EPERM);
    check_with(NO_NETWORK, &with(12), Sysno::socket, &[16, 3, 12], Outcome::Allow);
    check_with(NO_NETWORK, &with(12), Sysno::socket, &[17, 3, 0], EAFNOSUPPORT);
}

#[test]
fn routes_are_asked_for_and_nothing_else_of_the_kernel() {
    let open = Sockets { tcp: true, udp: true, deaf: false, routes: true, data_only: false };
    check(open, Sysno::socket, &[16, 3, 0], Outcome::Allow);
    check(open, Sysno::socket, &[16, 3, 9], EPERM);
    check(TCP, Sysno::socket, &[16, 3, 0], EAFNOSUPPORT);
}
