// SPDX-License-Identifier: GPL-2.0-or-later
//! What the rig's walker says of the accesses of a batch, and how tables and memory are put back.

use lguest_engine::FrameWords;
use lguest_engine::cpu::{self, Chain, P, Request};

use super::{Probe, Root, store};
use crate::code::INTERRUPT;
use crate::cross::{Access, BATCH, Kind};
use crate::machine::frame;

/// What the walker says of an access, and what must be put back after it.
#[derive(Clone, Copy)]
pub struct Expected {
    pub walked: Result<u64, u32>,
    pub chain: Chain,
    /// Frame and word that its page has there, if that is memory of ours, and what the word holds.
    pub word: Option<(u32, u32)>,
    pub old: u32,
    pub data: u32,
    pub after: [u64; 3],
}

pub const UNKNOWN: Expected = Expected {
    walked: Err(0),
    chain: Chain {
        entries: [(0, 0); 3],
        len: 0,
        complete: false,
    },
    word: None,
    old: 0,
    data: 0,
    after: [0; 3],
};

impl Probe<'_> {
    /// The words of the frame that an address is mapped to, whatever the rights, if that is memory of ours.
    pub(super) fn words(&self, chain: &Chain) -> Option<(u32, &'static FrameWords)> {
        let leaf = chain.entries[chain.len.max(1) - 1].1;
        let pfn = u32::try_from((leaf >> 12) & 0xff_ffff_ffff).ok()?;
        let mapped = chain.complete && leaf & P != 0;
        Some((pfn, self.host.data_words(pfn).filter(|_| mapped)?))
    }

    /// Makes a load of what would store to a frame that is no memory of ours, or take an instruction from it.
    pub(super) fn fit(&self, root: Root, access: &mut Access) {
        let chain = self.chain(root, access.vaddr);
        let leaf = chain.entries[chain.len.max(1) - 1].1;
        if chain.complete && leaf & P != 0 && self.words(&chain).is_none() {
            access.kind = Kind::Read;
        }
    }

    /// What the walker says of an access, which takes effect on tables and memory.
    pub(super) fn expect(&self, root: Root, access: &Access) -> Expected {
        let chain = self.chain(root, access.vaddr);
        let mut e = Expected { chain, ..UNKNOWN };
        if let Some((pfn, words)) = self.words(&chain) {
            let i = (access.vaddr >> 2) & 1023;
            e.word = Some((pfn, i));
            e.old = words[i as usize].get();
            if access.kind == Kind::Fetch {
                words[i as usize].set(INTERRUPT);
            }
        }
        let request = Request {
            write: access.kind == Kind::Write,
            user: access.user,
        };
        let fetch = access.kind == Kind::Fetch;
        let (host, pae) = (self.host, self.pae);
        e.walked = cpu::walk(
            host,
            root.pa,
            pae,
            access.vaddr,
            request,
            fetch,
            self.processor,
        );
        if let (Ok(_), Some((pfn, i))) = (e.walked, e.word) {
            let word = &frame(pfn)[i as usize];
            if access.kind == Kind::Write {
                word.set(access.value);
            }
            e.data = word.get();
        }
        e
    }

    /// Puts tables and memory back to what they were before the batch.
    ///
    /// The first time, after the walker, the values of entries are kept, and what is to be fetched stays in memory.
    pub(super) fn put_back(
        &self,
        accesses: &[Access],
        expected: &mut [Expected; BATCH],
        first: bool,
    ) {
        let expected = &mut expected[..accesses.len()];
        if first {
            for e in &mut *expected {
                for (after, (pa, _)) in e.after.iter_mut().zip(&e.chain.entries[..e.chain.len]) {
                    *after = self.entry(*pa);
                }
            }
        }
        for (e, access) in expected.iter().zip(accesses).rev() {
            for (pa, value) in &e.chain.entries[..e.chain.len] {
                store(*pa, self.pae, *value);
            }
            if let Some((pfn, i)) = e.word.filter(|_| !first || access.kind != Kind::Fetch) {
                frame(pfn)[i as usize].set(e.old);
            }
        }
    }
}
