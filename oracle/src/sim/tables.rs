// SPDX-License-Identifier: GPL-2.0-or-later
//! The page allocator of the simulated host: which table frame is handed out next, and what a freed one holds.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use lguest_c_reference::Arena;
use lguest_engine::{FrameWords, Reuse};

/// Most table frames of one host; a frame and its guard page cost two mappings of the process.
pub const MAX_TABLES: u32 = 2048;

/// The word that fills a freed frame: an entry that is present and names no frame.
pub const POISON: [u32; 2] = [0xffff_e001, 0];

#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameState {
    Fresh,
    Live,
    Freed,
}

/// The index of a frame in the pool, if it is one of it: 0 and odd numbers come out beyond its end.
#[inline]
pub fn pool_index(pfn: u32) -> Option<usize> {
    let i = pfn.rotate_right(1).wrapping_sub(1);
    (i < MAX_TABLES).then_some(i as usize)
}

/// Table frames by number: frame `i` of the pool is pfn `2 * (i + 1)`, the odd ones are guards.
pub struct Tables {
    arena: Arena,
    state: Box<[Cell<FrameState>; MAX_TABLES as usize]>,
    parent: Box<[Cell<u32>; MAX_TABLES as usize]>,
    touched: RefCell<Vec<u16>>,
    free_bits: [Cell<u64>; MAX_TABLES as usize / 64],
    queue: RefCell<VecDeque<u16>>,
    order: Cell<Reuse>,
    seed: Cell<u64>,
    pae: Cell<bool>,
    live: Cell<u32>,
    corrupted: Cell<u32>,
}

impl Tables {
    /// An empty pool; nothing of it is backed by memory yet.
    pub fn new() -> std::io::Result<Self> {
        Ok(Tables {
            arena: Arena::new(MAX_TABLES)?,
            state: Box::new([const { Cell::new(FrameState::Fresh) }; MAX_TABLES as usize]),
            parent: Box::new([const { Cell::new(0) }; MAX_TABLES as usize]),
            touched: RefCell::default(),
            free_bits: [const { Cell::new(0) }; MAX_TABLES as usize / 64],
            queue: RefCell::default(),
            order: Cell::new(Reuse::Lowest),
            seed: Cell::new(0),
            pae: Cell::new(false),
            live: Cell::new(0),
            corrupted: Cell::new(0),
        })
    }

    /// The memory that the C sees.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Takes everything back; from now on `frames` frames are handed out in `order`.
    pub fn reset(&self, frames: u32, order: Reuse, seed: u64, pae: bool) {
        for i in self.touched.borrow_mut().drain(..) {
            self.state[usize::from(i)].set(FrameState::Fresh);
            self.parent[usize::from(i)].set(0);
        }
        self.order.set(order);
        self.seed.set(seed);
        self.pae.set(pae);
        self.live.set(0);
        self.corrupted.set(0);
        let frames = frames.min(MAX_TABLES);
        if order == Reuse::Lowest {
            for (block, bits) in self.free_bits.iter().enumerate() {
                let left = frames.saturating_sub(block as u32 * 64).min(64);
                bits.set(if left == 64 {
                    u64::MAX
                } else {
                    (1 << left) - 1
                });
            }
        } else {
            let mut queue = self.queue.borrow_mut();
            queue.clear();
            queue.extend(0..frames as u16);
        }
    }

    fn take(&self) -> Option<usize> {
        match self.order.get() {
            Reuse::Lowest => {
                let block = self.free_bits.iter().position(|bits| bits.get() != 0)?;
                let bits = self.free_bits[block].get();
                self.free_bits[block].set(bits & (bits - 1));
                Some(block * 64 + bits.trailing_zeros() as usize)
            }
            Reuse::Fifo => self.queue.borrow_mut().pop_front().map(usize::from),
            Reuse::Seeded => {
                let mut queue = self.queue.borrow_mut();
                let seed = super::mix(self.seed.get(), queue.len() as u64);
                self.seed.set(seed);
                let pick = (seed >> 32) as usize % queue.len().max(1);
                queue.swap_remove_back(pick).map(usize::from)
            }
        }
    }

    /// Hands out a zeroed frame: its physical address, or 0 when there is none.
    pub fn get_zeroed(&self) -> u32 {
        let Some(i) = self.take() else { return 0 };
        let pfn = (i as u32 + 1) * 2;
        if !self.arena.commit(pfn) {
            return 0;
        }
        let Some(words) = self.arena.words(pfn) else {
            return 0;
        };
        if self.state[i].get() == FrameState::Fresh {
            self.touched.borrow_mut().push(i as u16);
        } else if !self.is_poisoned(words) {
            self.corrupted.set(pfn);
        }
        for word in words {
            word.set(0);
        }
        self.state[i].set(FrameState::Live);
        self.live.set(self.live.get() + 1);
        pfn << 12
    }

    /// A frame that somebody wrote to between its release and its reuse, or 0.
    pub fn corrupted(&self) -> u32 {
        self.corrupted.get()
    }

    fn poison(&self) -> [u32; 2] {
        if self.pae.get() {
            POISON
        } else {
            [POISON[0]; 2]
        }
    }

    fn is_poisoned(&self, words: &FrameWords) -> bool {
        let [even, odd] = self.poison();
        words.chunks_exact(16).all(|block| {
            block.chunks_exact(2).fold(0, |sum, pair| {
                sum | (pair[0].get() ^ even) | (pair[1].get() ^ odd)
            }) == 0
        })
    }

    /// Takes a frame back: the physical address of the entry that named it, 0 if that is not known.
    /// Nothing if the address is no table that is held.
    pub fn free(&self, pa: u32) -> Option<u32> {
        let pfn = pa >> 12;
        let i = pool_index(pfn)
            .filter(|i| pa & 0xfff == 0 && self.state[*i].get() == FrameState::Live)?;
        let words = self.arena.words(pfn)?;
        let [even, odd] = self.poison();
        for pair in words.chunks_exact(2) {
            pair[0].set(even);
            pair[1].set(odd);
        }
        self.state[i].set(FrameState::Freed);
        self.live.set(self.live.get() - 1);
        if self.order.get() == Reuse::Lowest {
            let bits = &self.free_bits[i / 64];
            bits.set(bits.get() | 1 << (i % 64));
        } else {
            self.queue.borrow_mut().push_back(i as u16);
        }
        Some(self.parent[i].replace(0))
    }

    /// The words of a frame that was ever handed out since the reset.
    #[inline]
    pub fn words(&self, pfn: u32) -> Option<&FrameWords> {
        let i = pool_index(pfn)?;
        if self.state[i].get() == FrameState::Fresh {
            None
        } else {
            self.arena.words(pfn)
        }
    }

    /// The same as eight-byte words.
    #[inline]
    pub fn longs(&self, pfn: u32) -> Option<&[Cell<u64>; 512]> {
        let i = pool_index(pfn)?;
        if self.state[i].get() == FrameState::Fresh {
            None
        } else {
            self.arena.longs(pfn)
        }
    }

    /// The frame is one that the shadow code holds.
    pub fn is_live(&self, pfn: u32) -> bool {
        pool_index(pfn).is_some_and(|i| self.state[i].get() == FrameState::Live)
    }

    /// Notes the entry that names a table.
    pub fn set_parent(&self, pfn: u32, entry: u32) {
        if let Some(i) = pool_index(pfn) {
            self.parent[i].set(entry);
        }
    }

    /// Frames handed out and not freed.
    pub fn live(&self) -> u32 {
        self.live.get()
    }
}
