// SPDX-License-Identifier: GPL-2.0-or-later
//! Where the build looks for the original, in what order, and what it refuses.

mod place;

use std::fs;
use std::sync::atomic::Ordering;

use place::parts::pin::{Pin, sha256};
use place::{ORIGINAL, Place, at_once};

#[test]
fn the_order_of_places() {
    let mut place = Place::new("order");
    let (url, requests) = at_once(ORIGINAL);
    place.env.insert("LGUEST_REFERENCE_URL", url.clone());
    // From the last resort to the first.
    assert_eq!(place.found().by, url);
    assert_eq!(place.found().path, place.kept());
    assert_eq!(requests.load(Ordering::SeqCst), 1);
    fs::remove_file(place.kept()).expect("fetched");
    place.put(
        "shared/upstream/linux-4.4/drivers/lguest/page_tables.c",
        ORIGINAL,
    );
    assert_eq!(place.found().by, "beside the workspace");
    place.put("workspace/c-reference/upstream/page_tables.c", ORIGINAL);
    assert_eq!(place.found().by, "put or fetched there");
    place.put("tree/drivers/lguest/page_tables.c", ORIGINAL);
    place.env.insert(
        "LGUEST_LINUX",
        place.root.join("tree").display().to_string(),
    );
    assert_eq!(place.found().by, "LGUEST_LINUX");
    let file = place.put("elsewhere.c", ORIGINAL);
    place.env.insert("LGUEST_PAGE_TABLES_C", file);
    let found = place.found();
    assert_eq!(
        (found.by.as_str(), found.pinned),
        ("LGUEST_PAGE_TABLES_C", true)
    );
    assert_eq!(found.bytes, ORIGINAL);
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[test]
fn another_file_is_refused_unless_permitted() {
    let mut place = Place::new("hash");
    let file = place.put("other.c", b"something else");
    place.env.insert("LGUEST_PAGE_TABLES_C", file.clone());
    let why = place.find().expect_err("not the original");
    for part in [
        &*file,
        "LGUEST_PAGE_TABLES_C",
        &sha256(b"something else"),
        &place.pin.sha256,
        "To mend it",
        "LGUEST_REFERENCE_UNPINNED=1",
    ] {
        assert!(why.contains(part), "{part} is not in: {why}");
    }
    place.env.insert("LGUEST_REFERENCE_UNPINNED", "1".into());
    let found = place.found();
    assert!(!found.pinned);
    assert_eq!(found.sha256, sha256(b"something else"));

    // The same where nobody named it: what lies there is not passed over.
    let place = Place::new("hash-kept");
    place.put(
        "workspace/c-reference/upstream/page_tables.c",
        b"something else",
    );
    assert!(
        place
            .find()
            .expect_err("not the original")
            .contains("put or fetched there")
    );
}

#[test]
fn a_named_file_must_be_there() {
    let mut place = Place::new("named");
    place.put("workspace/c-reference/upstream/page_tables.c", ORIGINAL);
    place
        .env
        .insert("LGUEST_PAGE_TABLES_C", "/nowhere/page_tables.c".into());
    let why = place.find().expect_err("missing");
    assert!(
        why.contains("cannot read the original at /nowhere/page_tables.c"),
        "{why}"
    );
    assert!(why.contains("To mend it"), "{why}");
    // A folder is no file.
    place
        .env
        .insert("LGUEST_PAGE_TABLES_C", place.root.display().to_string());
    assert!(place.find().is_err());
    place.env.clear();
    place
        .env
        .insert("LGUEST_LINUX", place.root.display().to_string());
    assert!(
        place
            .find()
            .expect_err("no such tree")
            .contains("drivers/lguest/page_tables.c")
    );
}

#[test]
fn absence_is_told_or_refused() {
    let mut place = Place::new("absent");
    place.env.insert("LGUEST_FETCH", "0".into());
    let report = place.absent();
    for part in [
        "was looked for and not found",
        &*place.kept().display().to_string(),
        "shared/upstream/linux-4.4/drivers/lguest/page_tables.c",
        "not fetched: LGUEST_FETCH=0",
        "To mend it",
    ] {
        assert!(report.contains(part), "{part} is not in: {report}");
    }
    place.env.insert("LGUEST_REQUIRE_REFERENCE", "1".into());
    let why = place.find().expect_err("required");
    assert!(
        why.contains("LGUEST_REQUIRE_REFERENCE") && why.contains(&*report),
        "{why}"
    );

    place.env.clear();
    place.env.insert("CARGO_NET_OFFLINE", "true".into());
    assert!(place.absent().contains("cargo is offline"));
    place.env.insert("CARGO_NET_OFFLINE", "false".into());
    let (url, _) = at_once(ORIGINAL);
    place.env.insert("LGUEST_REFERENCE_URL", url);
    assert!(place.found().pinned);
}

#[test]
fn upstream_toml_is_read_and_refused() {
    let text = include_str!("../upstream.toml");
    let pin = Pin::parse(text).expect("checked in");
    assert_eq!(pin.path, "drivers/lguest/page_tables.c");
    assert_eq!(pin.sha256.len(), 64);
    assert_eq!((pin.bytes, pin.literals, pin.urls.len()), (38661, 3, 2));
    assert!(pin.urls.iter().all(|url| url.starts_with("https://")));
    for (from, to, what) in [
        ("sha256 = \"d1", "sha256 = \"D1", "sha256"),
        ("sha256 = \"d1", "sha256 = \"", "sha256"),
        ("bytes = 38661", "bytes = many", "bytes"),
        ("tag =", "tagged =", "`tag` is missing"),
        ("tag = \"v4.4\"", "tag = 44", "tag"),
        ("path = \"drivers", "path = \"drivers\" \"", "path"),
    ] {
        let broken = text.replace(from, to);
        assert_ne!(broken, text, "{from}");
        let why = Pin::parse(&broken).expect_err(what);
        assert!(why.contains(what), "{why}");
    }
}
