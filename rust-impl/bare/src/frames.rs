// SPDX-License-Identifier: GPL-2.0-or-later
//! Physical memory for shadow tables: which frame is handed out next, what a freed one holds.
//!
//! The policy is the simulated host's, so that both hand out frame by frame the same.

use core::cell::Cell;

use lguest_engine::{FrameWords, Reuse};

use crate::machine::{frame, frame_longs};
use lguest_engine::draw::mix;

/// Most table frames.
pub const MAX_TABLES: usize = 2048;
/// Number of the first table frame; the odd ones behind each are guards.
pub const FIRST_TABLE: u32 = 0x3_0002;

/// What fills a freed frame: entries that are present and name no frame.
const POISON: [u32; 2] = [0xffff_e001, 0];

#[derive(Clone, Copy, PartialEq, Eq)]
enum FrameState {
    Fresh,
    Live,
    Freed,
}

/// The pool.
pub struct Tables {
    state: [Cell<FrameState>; MAX_TABLES],
    /// Free frames in line; `first` is the next one's place.
    line: [Cell<u16>; MAX_TABLES],
    first: Cell<usize>,
    waiting: Cell<usize>,
    frames: Cell<usize>,
    order: Cell<Reuse>,
    seed: Cell<u64>,
    pae: Cell<bool>,
    live: Cell<u32>,
    corrupted: Cell<u32>,
}

impl Tables {
    /// An empty pool.
    pub const fn new() -> Self {
        Tables {
            state: [const { Cell::new(FrameState::Fresh) }; MAX_TABLES],
            line: [const { Cell::new(0) }; MAX_TABLES],
            first: Cell::new(0),
            waiting: Cell::new(0),
            frames: Cell::new(0),
            order: Cell::new(Reuse::Lowest),
            seed: Cell::new(0),
            pae: Cell::new(false),
            live: Cell::new(0),
            corrupted: Cell::new(0),
        }
    }

    /// Takes everything back; from now on `frames` frames are handed out in `order`.
    pub fn reset(&self, frames: usize, order: Reuse, seed: u64, pae: bool) {
        self.state.iter().for_each(|s| s.set(FrameState::Fresh));
        for (i, place) in self.line.iter().enumerate() {
            place.set(i as u16);
        }
        self.first.set(0);
        self.frames.set(frames.min(MAX_TABLES));
        self.waiting.set(self.frames.get());
        self.order.set(order);
        self.seed.set(seed);
        self.pae.set(pae);
        self.live.set(0);
        self.corrupted.set(0);
    }

    fn place(&self, i: usize) -> &Cell<u16> {
        &self.line[(self.first.get() + i) % MAX_TABLES]
    }

    fn take(&self) -> Option<usize> {
        let waiting = self.waiting.get();
        match self.order.get() {
            Reuse::Lowest => {
                let frames = &self.state[..self.frames.get()];
                return frames.iter().position(|s| s.get() != FrameState::Live);
            }
            Reuse::Fifo => {
                self.waiting.set(waiting.checked_sub(1)?);
                let next = self.place(0).get();
                self.first.set((self.first.get() + 1) % MAX_TABLES);
                Some(next.into())
            }
            Reuse::Seeded => {
                let seed = mix(self.seed.get(), waiting as u64);
                self.seed.set(seed);
                let last = waiting.checked_sub(1)?;
                let pick = (seed >> 32) as usize % waiting;
                let taken = self.place(pick).replace(self.place(last).get());
                self.waiting.set(last);
                Some(taken.into())
            }
        }
    }

    /// Hands out a zeroed frame: its physical address, or 0 when there is none.
    pub fn get_zeroed(&self) -> u32 {
        let Some(i) = self.take() else { return 0 };
        let pfn = FIRST_TABLE + 2 * i as u32;
        let words = frame(pfn);
        if self.state[i].get() == FrameState::Freed && !self.is_poisoned(words) {
            self.corrupted.set(pfn);
        }
        words.iter().for_each(|word| word.set(0));
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
        let mut pairs = words.chunks_exact(2);
        pairs.all(|pair| pair[0].get() == even && pair[1].get() == odd)
    }

    /// Takes a frame back; false if the address is no table that is held.
    pub fn free(&self, pa: u32) -> bool {
        let live = |i: &usize| self.state[*i].get() == FrameState::Live;
        let Some(i) = self.index(pa >> 12).filter(live) else {
            return false;
        };
        if pa & 0xfff != 0 {
            return false;
        }
        let [even, odd] = self.poison();
        for pair in frame(pa >> 12).chunks_exact(2) {
            pair[0].set(even);
            pair[1].set(odd);
        }
        self.state[i].set(FrameState::Freed);
        self.live.set(self.live.get() - 1);
        if self.order.get() != Reuse::Lowest {
            let waiting = self.waiting.get();
            self.place(waiting).set(i as u16);
            self.waiting.set(waiting + 1);
        }
        true
    }

    fn index(&self, pfn: u32) -> Option<usize> {
        let i = pfn.checked_sub(FIRST_TABLE)? as usize;
        (i % 2 == 0 && i / 2 < MAX_TABLES).then_some(i / 2)
    }

    /// Whether a frame was ever handed out since the reset.
    pub fn known(&self, pfn: u32) -> bool {
        let state = self.index(pfn).map(|i| self.state[i].get());
        state.is_some_and(|state| state != FrameState::Fresh)
    }

    /// The words of such a frame.
    pub fn words(&self, pfn: u32) -> Option<&'static FrameWords> {
        self.known(pfn).then(|| frame(pfn))
    }

    /// The same as eight-byte words.
    pub fn longs(&self, pfn: u32) -> Option<&'static [Cell<u64>; 512]> {
        self.known(pfn).then(|| frame_longs(pfn))
    }

    /// The frame is one that the shadow code holds.
    pub fn is_live(&self, pfn: u32) -> bool {
        let state = self.index(pfn).map(|i| self.state[i].get());
        state == Some(FrameState::Live)
    }

    /// Frames handed out and not freed.
    pub fn live(&self) -> u32 {
        self.live.get()
    }

    /// All frames handed out since the reset, by number.
    pub fn all(&self) -> impl Iterator<Item = u32> + '_ {
        let frames = self.frames.get() as u32;
        (0..frames)
            .map(|i| FIRST_TABLE + 2 * i)
            .filter(|pfn| self.known(*pfn))
    }
}
