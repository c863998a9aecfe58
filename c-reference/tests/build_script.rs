// SPDX-License-Identifier: GPL-2.0-or-later
//! What the build made of the original: the derived file, and objects without
//! stray symbols.

#[allow(dead_code)]
#[path = "../build/mod.rs"]
mod parts;

use std::fs;
use std::path::Path;

use lguest_c_reference::reference;
use parts::derive::derive;
use parts::symbols::{Allowed, Instrumented};

#[test]
fn only_long_literals_of_minus_one_are_replaced() {
    let derived = derive(b"a = -1UL;\nb = (x == -1UL) - 1UL;\n-1ULL -1ULx -1U -1UL");
    assert_eq!(
        derived.bytes,
        b"a = -1U;\nb = (x == -1U) - 1UL;\n-1ULL -1ULx -1U -1U"
    );
    assert_eq!(derived.replaced, [(1, 5), (2, 11), (3, 17)]);
    assert_eq!(derive(b"").bytes, b"");
}

/// The whole difference between the pinned original and what is compiled.
#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn the_derived_file_differs_in_three_literals() {
    let reference = reference().expect("the original");
    let original = fs::read(reference.path).expect("it was there when this was built");
    let compiled = fs::read(reference.compiled_file).expect("made by the build");
    if reference.variant == "llp64" {
        assert_eq!(compiled, original);
        assert!(reference.replaced.is_empty());
        return;
    }
    let derived = derive(&original);
    assert_eq!(derived.bytes, compiled);
    assert_eq!(derived.replaced, reference.replaced);
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> {
        bytes.split(|&b| b == b'\n').map(<[u8]>::to_vec).collect()
    };
    let (old, new) = (lines(&original), lines(&compiled));
    assert_eq!(old.len(), new.len());
    let mut changed = Vec::new();
    for (i, (old, new)) in old.iter().zip(&new).enumerate() {
        if old == new {
            continue;
        }
        let at = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        println!(
            "{}:{}: {} bytes became {}",
            i + 1,
            at - 2,
            old.len(),
            new.len()
        );
        // One byte fewer, the L, and all else as it was.
        assert_eq!(&old[at - 3..=at], b"-1UL");
        assert_eq!([&old[..at], &old[at + 1..]].concat(), *new);
        changed.push((i + 1, at - 2));
    }
    assert_eq!(changed, reference.replaced);
    if reference.pinned {
        assert_eq!(changed.len(), 3);
    }
}

#[test]
#[cfg_attr(no_reference, ignore = "this program was built without the original")]
fn stray_symbols_are_found() {
    // Any object will do: the library's own, with other expectations.
    let reference = reference().expect("the original");
    let out = Path::new(reference.compiled_file)
        .ancestors()
        .nth(2)
        .expect("OUT_DIR");
    let object = |name: &str| {
        let ends = |path: &Path| path.to_string_lossy().ends_with(name);
        let mut files = fs::read_dir(out)
            .expect("OUT_DIR")
            .map(|e| e.expect("entry").path());
        fs::read(files.find(|path| ends(path)).expect(name)).expect(name)
    };
    let with = Instrumented {
        instrumented: true,
        windows_calls: false,
    };
    assert_eq!(
        Allowed::mode("pae_", with).strays(&object("-pae.o")),
        Ok(vec![])
    );
    assert_eq!(Allowed::door(with).strays(&object("-door.o")), Ok(vec![]));
    let strays = Allowed::mode("nopae_", with)
        .strays(&object("-pae.o"))
        .expect("an object");
    assert!(
        strays.contains(&"`pae_demand_page` is exported".into()),
        "{strays:?}"
    );
    let strays = Allowed::mode("lg_", with)
        .strays(&object("-door.o"))
        .expect("an object");
    assert!(
        strays.contains(&"`siglongjmp` is left undefined".into()),
        "{strays:?}"
    );
    assert!(Allowed::door(with).strays(b"no object").is_err());
}
