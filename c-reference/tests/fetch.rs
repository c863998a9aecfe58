// SPDX-License-Identifier: GPL-2.0-or-later
//! Fetching the original, from files and from servers on the loopback
//! interface; nothing leaves this machine.

mod place;

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use place::parts::fetch;
use place::{ORIGINAL, Place, at_once, server};

#[test]
fn fetched_from_the_first_address_that_has_it() {
    let mut place = Place::new("addresses");
    let (missing, _) = server("404 Not Found", b"", Duration::ZERO);
    let (wrong, _) = at_once(b"<html>sign in first</html>");
    let local = format!("file://{}", place.put("local.c", ORIGINAL));
    place
        .env
        .insert("LGUEST_REFERENCE_URL", format!("{missing} {wrong} {local}"));
    assert_eq!(place.found().by, local);
    assert_eq!(fs::read(place.kept()).expect("kept"), ORIGINAL);
    assert!(!place.stamp().exists());
    // Nothing partial is left about.
    let upstream = fs::read_dir(place.crate_dir().join("upstream"))
        .expect("there")
        .count();
    assert_eq!(upstream, 1);

    fs::remove_file(place.kept()).expect("kept");
    place.env.insert(
        "LGUEST_REFERENCE_URL",
        format!("{missing} {wrong} file:///nowhere"),
    );
    let report = place.absent();
    for part in [
        &*missing,
        "404",
        &*wrong,
        "its SHA-256 is",
        "file:///nowhere",
    ] {
        assert!(report.contains(part), "{part} is not in: {report}");
    }
    assert!(!place.kept().exists());
}

#[test]
fn a_failure_is_remembered_and_forgotten() {
    let mut place = Place::new("memory");
    let (url, requests) = server("500 Oops", b"", Duration::ZERO);
    place.env.insert("LGUEST_REFERENCE_URL", url.clone());
    assert!(!place.absent().contains("earlier build's try"));
    assert!(place.absent().contains("earlier build's try"));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    // On demand, for other addresses, and after a while it is tried again.
    place.env.insert("LGUEST_FETCH", "1".into());
    assert!(!place.absent().contains("earlier build's try"));
    assert_eq!(requests.load(Ordering::SeqCst), 2);
    place.env.remove("LGUEST_FETCH");
    place
        .env
        .insert("LGUEST_REFERENCE_URL", format!("{url}?other"));
    assert!(!place.absent().contains("earlier build's try"));
    assert_eq!(requests.load(Ordering::SeqCst), 3);
    let old = std::time::SystemTime::now() - fetch::MEMORY - Duration::from_secs(5);
    let stamp = fs::File::options()
        .append(true)
        .open(place.stamp())
        .expect("noted");
    stamp.set_modified(old).expect("own file");
    assert!(!place.absent().contains("earlier build's try"));
    assert_eq!(requests.load(Ordering::SeqCst), 4);
}

#[test]
fn fetching_ends_in_time() {
    let place = Place::new("slow");
    let (slow, _) = server("200 OK", ORIGINAL, Duration::from_secs(30));
    let start = Instant::now();
    let limit = Duration::from_millis(700);
    let urls = [slow.clone(), slow];
    let why = fetch::fetch(&urls, &place.root, limit, |_| Ok(())).expect_err("slow");
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(
        why.contains("timed out") || why.contains("no time left"),
        "{why}"
    );
}

#[test]
fn kept_aside_where_the_crate_cannot_be_written() {
    let mut place = Place::new("unwritable");
    let local = format!("file://{}", place.put("local.c", ORIGINAL));
    place.env.insert("LGUEST_REFERENCE_URL", local.clone());
    // A file where the folder should be: this holds for root as well.
    fs::remove_dir(place.crate_dir().join("upstream")).expect("empty");
    place.put("workspace/c-reference/upstream", b"in the way");
    let found = place.found();
    assert_eq!(found.path, place.root.join("out/fetched/page_tables.c"));
    // The next build finds it there.
    place.env.insert("LGUEST_FETCH", "0".into());
    assert_eq!(place.found().by, "fetched by an earlier build");

    // And where nothing can be written at all, it says so.
    place.env.remove("LGUEST_FETCH");
    fs::remove_dir_all(place.root.join("out/fetched")).expect("own");
    place.put("out/fetched", b"in the way");
    assert!(place.absent().contains("fetched, but cannot write"));
}

#[test]
fn an_unpinned_fetch_does_not_stay() {
    let mut place = Place::new("unpinned");
    let (url, _) = at_once(b"planted");
    place.env.insert("LGUEST_REFERENCE_URL", url);
    place.env.insert("LGUEST_REFERENCE_UNPINNED", "1".into());
    assert!(!place.found().pinned);
    assert!(!place.kept().exists());
}
