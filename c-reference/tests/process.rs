// SPDX-License-Identifier: GPL-2.0-or-later
//! Faults that are not the original's end the process as they did before the
//! door was there. Each case runs in a child: this same program, told by a
//! variable to misbehave.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::{env, hint, panic, ptr};

use common::{Host, MODES};
use lguest_c_reference::{CrashKind, PagingMode};

const CASE: &str = "LGUEST_TEST_CASE";

/// Runs one test of this program as the child that misbehaves.
fn child(test: &str) -> (ExitStatus, String) {
    let out = Command::new(env::current_exe().expect("own path"))
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(CASE, test)
        .output()
        .expect("own program runs");
    let text = [out.stdout, out.stderr].concat();
    (out.status, String::from_utf8_lossy(&text).into_owned())
}

fn is_child(test: &str) -> bool {
    env::var(CASE).is_ok_and(|case| case == test)
}

/// Installs the door and shows that it works here.
fn door() {
    let host = Host::new();
    let guest = host.guest(MODES[0]);
    let crash = guest.pin_page(0).expect_err("nothing is mapped");
    assert_eq!(crash.kind, CrashKind::NullEntry);
}

fn fault() {
    // SAFETY: none; that is the point, and only a child does it.
    unsafe { ptr::without_provenance::<u8>(64).read_volatile() };
}

fn assert_segfault(status: ExitStatus, text: &str) {
    let sanitizer = text.contains("AddressSanitizer");
    assert!(
        status.signal() == Some(libc::SIGSEGV) || sanitizer,
        "{status}: {text}"
    );
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_fault_outside_kills() {
    const NAME: &str = "a_fault_outside_kills";
    if is_child(NAME) {
        door();
        return fault();
    }
    let (status, text) = child(NAME);
    assert_segfault(status, &text);
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_fault_in_a_callback_kills() {
    const NAME: &str = "a_fault_in_a_callback_kills";
    if is_child(NAME) {
        let host = Host::new();
        let guest = host.guest(PagingMode::Pae);
        host.misbehave.set(fault);
        let done = guest.init_guest_pagetable();
        println!("went on: {done:?}");
        return;
    }
    door();
    let (status, text) = child(NAME);
    assert_segfault(status, &text);
    assert!(!text.contains("went on"), "{text}");
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn the_former_handler_is_called() {
    const NAME: &str = "the_former_handler_is_called";
    extern "C" fn former(signal: i32, info: *const libc::siginfo_t, context: *const u8) {
        // It is told what the kernel tells, and finds its mask.
        // SAFETY: the kernel's, passed on.
        let addr = unsafe { (*info).si_addr() }.addr();
        // SAFETY: these may be called in a handler; nothing else runs after.
        unsafe {
            let mut mask = std::mem::zeroed();
            libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &raw mut mask);
            let own = libc::sigismember(&raw const mask, signal) == 1;
            let other = libc::sigismember(&raw const mask, libc::SIGUSR1) == 1;
            let right = addr == 64 && !context.is_null() && own && other;
            libc::_exit(if right { 77 } else { 78 });
        }
    }
    if is_child(NAME) {
        // SAFETY: a handler with the signature that its flags promise.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = former as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaddset(&raw mut action.sa_mask, libc::SIGUSR1);
            libc::sigaction(libc::SIGSEGV, &raw const action, ptr::null_mut());
        }
        door();
        return fault();
    }
    let (status, text) = child(NAME);
    assert_eq!(status.code(), Some(77), "{text}");
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn defaults_stay_defaults() {
    const NAME: &str = "defaults_stay_defaults";
    if is_child(NAME) {
        // SAFETY: the default action.
        unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
        door();
        // Sent, and not by the processor: it does not come a second time.
        // SAFETY: raises a signal.
        unsafe { libc::raise(libc::SIGSEGV) };
        println!("went on");
        return;
    }
    door();
    let (status, text) = child(NAME);
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{text}");
    assert!(!text.contains("went on"), "{text}");
}

#[allow(unconditional_recursion)]
fn recurse(depth: u64) -> u64 {
    let room = hint::black_box([depth; 64]);
    recurse(depth + 1) + room[depth as usize % 64]
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_stack_overflow_is_reported_by_rust() {
    const NAME: &str = "a_stack_overflow_is_reported_by_rust";
    if is_child(NAME) {
        door();
        println!("{}", recurse(0));
        return;
    }
    let (status, text) = child(NAME);
    let reported = text.contains("has overflowed its stack");
    let sanitizer = text.contains("AddressSanitizer: stack-overflow");
    assert!(reported || sanitizer, "{status}: {text}");
    assert!(!status.success());
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_stack_overflow_in_a_callback_too() {
    const NAME: &str = "a_stack_overflow_in_a_callback_too";
    if is_child(NAME) {
        let host = Host::new();
        let guest = host.guest(PagingMode::NoPae);
        host.misbehave.set(|| println!("{}", recurse(0)));
        let done = guest.init_guest_pagetable();
        println!("went on: {done:?}");
        return;
    }
    door();
    let (status, text) = child(NAME);
    let reported = text.contains("has overflowed its stack");
    let sanitizer = text.contains("AddressSanitizer: stack-overflow");
    assert!(reported || sanitizer, "{status}: {text}");
    assert!(!text.contains("went on"), "{text}");
}

/// The door itself meets the end of the stack, with its flag up.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_stack_overflow_inside_the_original_too() {
    const NAME: &str = "a_stack_overflow_inside_the_original_too";
    const TAKEN: i32 = 99;
    #[allow(unconditional_recursion)]
    fn deeper(guest: &lguest_c_reference::Original<'_, Host>, depth: u64) -> u64 {
        let room = hint::black_box([depth; 4]);
        if guest.pin_page(0).is_err() {
            // There is room for this much, the C having used more.
            // SAFETY: ends the process.
            unsafe { libc::_exit(TAKEN) };
        }
        deeper(guest, depth + 1) + room[depth as usize % 4]
    }
    if is_child(NAME) {
        let host = Host::new();
        let guest = host.booted(PagingMode::NoPae);
        // Mapped, so that pinning it again asks nothing of the host.
        assert_eq!(guest.pin_page(0), Ok(()));
        println!("{}", deeper(&guest, 0));
        return;
    }
    door();
    let (status, text) = child(NAME);
    let reported = text.contains("has overflowed its stack");
    let sanitizer = text.contains("AddressSanitizer: stack-overflow");
    assert_ne!(status.code(), Some(TAKEN), "taken for the original's");
    assert!(reported || sanitizer, "{status}: {text}");
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn a_panic_in_a_callback_aborts_and_says_so() {
    const NAME: &str = "a_panic_in_a_callback_aborts_and_says_so";
    if is_child(NAME) {
        let host = Host::new();
        let guest = host.guest(PagingMode::Pae);
        host.misbehave.set(|| panic!("this host is broken"));
        let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| guest.init_guest_pagetable()));
        println!("went on: {}", caught.is_err());
        return;
    }
    door();
    let (status, text) = child(NAME);
    assert_eq!(status.signal(), Some(libc::SIGABRT), "{text}");
    assert!(text.contains("this host is broken"), "{text}");
    assert!(
        text.contains("a callback panicked inside the original"),
        "{text}"
    );
    assert!(!text.contains("went on"), "{text}");
}
