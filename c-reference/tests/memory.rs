// SPDX-License-Identifier: GPL-2.0-or-later
//! The arena and the shared counters, without any C.

use lguest_c_reference::{Arena, CallKind, DATA_BASE, Shared, mixed};

#[test]
fn only_committed_table_frames_are_reached() {
    let arena = Arena::new(8).expect("address space");
    assert_eq!(arena.base().addr() % (1 << 32), 0);
    for pfn in [0, 1, 3, 15, 17, 18, DATA_BASE, u32::MAX] {
        assert!(!arena.commit(pfn), "{pfn:#x}");
        assert!(arena.words(pfn).is_none() && arena.longs(pfn).is_none());
    }
    for pfn in [2, 16] {
        assert!(arena.words(pfn).is_none());
        assert!(arena.commit(pfn) && arena.commit(pfn));
        let words = arena.words(pfn).expect("committed");
        assert!(words.iter().all(|word| word.get() == 0));
        words[1].set(0x1234_5678);
        words[1023].set(pfn);
    }
    // Both widths are one memory, and frames are apart.
    let longs = arena.longs(16).expect("committed");
    assert_eq!(
        (longs[0].get(), longs[511].get()),
        (0x1234_5678 << 32, 16 << 32)
    );
    assert_eq!(arena.words(2).expect("committed")[1023].get(), 2);
    // Its place is its address.
    let at = arena.words(16).expect("committed").as_ptr().addr();
    assert_eq!(at as u32, 16 << 12);
}

#[test]
fn arenas_have_a_size() {
    assert!(Arena::new(Arena::MAX_FRAMES + 1).is_err());
    let largest = Arena::new(Arena::MAX_FRAMES).expect("address space");
    assert!(largest.commit(2 * Arena::MAX_FRAMES));
    let none = Arena::new(0).expect("address space");
    assert!(!none.commit(2));
}

#[test]
fn counters_are_by_frame() {
    let shared = Shared::new(3);
    assert_eq!(shared.held().len(), 3);
    shared.held_of(DATA_BASE + 2).expect("a data frame").set(5);
    assert_eq!(shared.held()[2].get(), 5);
    for pfn in [0, DATA_BASE - 1, DATA_BASE + 3, u32::MAX] {
        assert!(shared.held_of(pfn).is_none(), "{pfn:#x}");
    }
    assert!(Shared::new(0).held().is_empty());
}

#[test]
fn events_are_due_once() {
    let shared = Shared::new(0);
    shared.during.set(2);
    let due: Vec<_> = (0..4).map(|_| shared.count_call()).collect();
    assert_eq!(due, [false, true, false, false]);
    assert_eq!(shared.calls.get(), 4);
}

#[test]
fn bytes_are_mixed_as_words() {
    let shared = Shared::new(0);
    shared.hash.set(7);
    shared.mix_bytes(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(shared.hash.get(), mixed(mixed(7, 0x0807_0605_0403_0201), 9));
    shared.mix_bytes(&[]);
    assert_eq!(shared.hash.get(), mixed(mixed(7, 0x0807_0605_0403_0201), 9));
    // By hand: nothing rotated, then multiplied.
    assert_eq!(mixed(0, 1), 0x9e37_79b9_7f4a_7c15);
    assert_eq!(mixed(1 << 63, 0), 0x9e37_79b9_7f4a_7c15 << 4);
    assert_eq!(CallKind::PutPage.word(0x40001), 5 << 56 | 0x40001);
}
