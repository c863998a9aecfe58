// SPDX-License-Identifier: GPL-2.0-or-later
//! What the engine asks of the host: guest memory, host events, frames by name, references.

use core::cell::Cell;
use core::slice;

use lguest_engine::{
    Calls, Event, FrameName, FrameWords, KeepsCalls, Machine, Machinery, PageRecord, PortHost, Step,
};

use crate::PagingMode;
use crate::glue::{self, NONE, TABLE};
use crate::host::{HANDLE, KernelHost, TABLE_HANDLE};

impl KernelHost {
    /// The ledger's index of a frame, by its number or by its handle.
    fn index(&self, n: u32) -> u32 {
        match n.checked_sub(HANDLE) {
            Some(frame) if frame < self.frames() => frame,
            // SAFETY: the guest lives as long as the world; so below.
            _ => unsafe { glue::kg_find(self.guest.get(), n) },
        }
    }

    /// The same if it is a guest's data frame.
    fn guest_frame(&self, n: u32) -> Option<u32> {
        let frame = self.index(n);
        (frame >= self.guest_base() && frame < self.frames()).then_some(frame)
    }

    /// The name of the guest's frame `frame`, counted from the guest's first.
    fn guest_name(&self, frame: u32) -> FrameName {
        let pages = self.pages.get();
        let mut on_it = (0..pages).zip(&self.map).filter(|(_, map)| {
            let map = map.get();
            map.present && map.frame == frame
        });
        if let Some((page, _)) = on_it.next() {
            return FrameName::Guest {
                page,
                old: 0,
                shared: on_it.next().is_some(),
            };
        }
        let copy_of = |k: u32| self.copies.get(k as usize).map(Cell::get);
        let page = frame.checked_sub(pages).and_then(copy_of).unwrap_or(frame);
        let later = (frame + 1).saturating_sub(pages)..self.copies_len.get();
        FrameName::Guest {
            page,
            old: later.filter(|k| copy_of(*k) == Some(page)).count() as u32,
            shared: false,
        }
    }
}

impl Machinery for KernelHost {
    const ALIKE: bool = false;

    fn canonical(&self, pfn: u32) -> u32 {
        // SAFETY: the guest lives as long as the world; so below.
        match unsafe { glue::kg_find(self.guest.get(), pfn) } {
            NONE => pfn,
            table if table >= TABLE => table - TABLE + TABLE_HANDLE,
            frame => HANDLE + frame,
        }
    }

    fn begin_step(&self, step: &Step) {
        self.plan_step(step);
    }

    fn trail(&self) -> u64 {
        self.trail.get()
    }

    fn calls(&self) -> u32 {
        self.calls.get()
    }

    fn cpu(&self) -> u32 {
        self.cpu.get()
    }

    fn set_cpu(&self, cpu: u32) {
        self.cpu.set(cpu);
    }

    fn guest_read(&self, gpa: u32, to: &mut [u8]) -> bool {
        self.read(gpa, to)
    }

    fn guest_write(&self, gpa: u32, from: &[u8]) -> bool {
        self.write(gpa, from)
    }

    /// The client has done it before it wrote the step.
    fn happen(&self, event: Event) {
        self.note_event(event);
    }

    fn table(&self, pfn: u32) -> Option<&FrameWords> {
        // SAFETY: null, or a whole page of words that the ledger holds.
        unsafe {
            glue::kg_table(self.guest.get(), pfn)
                .cast::<FrameWords>()
                .as_ref()
        }
    }

    fn load(&self, pfn: u32, word: usize) -> Option<u32> {
        let frame = self.guest_frame(pfn)?;
        // SAFETY: as above.
        Some(unsafe { glue::kg_load(self.guest.get(), frame, word as u32) })
    }

    fn store(&self, pfn: u32, word: usize, value: u32) -> bool {
        let Some(frame) = self.guest_frame(pfn) else {
            return false;
        };
        // SAFETY: as above.
        unsafe { glue::kg_store(self.guest.get(), frame, word as u32, value) };
        let at = (word as u32 & 1023) * 4;
        self.mark(frame, at, at);
        true
    }

    /// A copy, good until the next call: the frame itself may have no address in the kernel.
    fn data(&self, pfn: u32) -> Option<&FrameWords> {
        let frame = self.guest_frame(pfn)?;
        let to = self.scratch.as_ptr() as *mut u8;
        // SAFETY: a page of cells is written to, of which nobody holds a plain reference.
        let read = unsafe { glue::kg_read(self.guest.get(), frame, to) };
        (read == 0).then_some(&self.scratch)
    }

    fn name(&self, pfn: u32) -> FrameName {
        match self.index(pfn) {
            NONE => FrameName::Foreign(pfn),
            table if table >= TABLE => FrameName::Table,
            0 => FrameName::Regs,
            frame => match frame.checked_sub(self.guest_base()) {
                None => FrameName::Switcher(frame - 1),
                Some(frame) => self.guest_name(frame),
            },
        }
    }

    fn frame_of(&self, page: u32) -> Option<u32> {
        let map = self.page(page)?.get();
        map.present.then(|| HANDLE + self.guest_base() + map.frame)
    }

    fn data_frames(&self) -> (u32, u32) {
        (HANDLE, HANDLE + self.frames())
    }

    fn held(&self, pfn: u32) -> i32 {
        self.all_held()
            .get(self.index(pfn) as usize)
            .map_or(0, Cell::get)
    }

    /// The ledger's own counts.
    fn all_held(&self) -> &[Cell<i32>] {
        // SAFETY: the ledger has a count for each data frame, at one place from its begin to its end.
        unsafe {
            let counts = glue::kg_refs(self.guest.get()).cast::<Cell<i32>>();
            if counts.is_null() {
                &[]
            } else {
                slice::from_raw_parts(counts, self.frames() as usize)
            }
        }
    }

    fn tables_held(&self) -> u32 {
        // SAFETY: the guest lives as long as the world.
        unsafe { glue::kg_tables_held(self.guest.get()) }
    }

    /// The kernel's allocator is not ours to look into.
    fn corrupted(&self) -> Option<u32> {
        None
    }

    fn dirty(&self, i: usize) -> Option<(u32, u64)> {
        if i >= self.dirty_len.get() as usize {
            return None;
        }
        let frame = self.dirty_list.get(i)?.get();
        Some((HANDLE + frame, self.dirty.get(frame as usize)?.get()))
    }

    fn settle_dirty(&self) {
        for place in self.dirty_list.iter().take(self.dirty_len.get() as usize) {
            if let Some(dirty) = self.dirty.get(place.get() as usize) {
                dirty.set(0);
            }
        }
        self.dirty_len.set(0);
    }

    fn emptied(&self, _: usize) -> Option<u32> {
        None
    }

    fn emptied_overflow(&self) -> bool {
        self.freed.get()
    }

    fn message(&self, to: &mut dyn FnMut(&[u8])) {
        let len = (self.message_len.get() as usize).min(self.message.len());
        // SAFETY: that many bytes of the cells, which nobody sets while they are looked at.
        to(unsafe { slice::from_raw_parts(self.message.as_ptr().cast(), len) });
    }

    fn orphaned(&self) -> i64 {
        self.orphaned.get().into()
    }

    fn draws(&self) -> u32 {
        self.draws.get()
    }
}

impl KeepsCalls for KernelHost {
    fn kept(&self) -> &Calls {
        &self.kept
    }
}

impl PortHost<PagingMode> for KernelHost {
    fn begin(&self, machine: &Machine, pages: &mut dyn Iterator<Item = PageRecord>) {
        self.begin_machine(machine, pages);
    }

    fn regs_page(&self) -> u32 {
        self.regs.get()
    }
}
