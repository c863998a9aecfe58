// SPDX-License-Identifier: GPL-2.0-or-later
//! A window on a text of any length: what lies before it is dropped, and the writer stops when it is full.

use core::fmt;

/// Where the bytes of a text from `skip` on go, as far as there is room.
pub struct Window<'a> {
    skip: usize,
    room: &'a mut [u8],
    put: usize,
}

impl<'a> Window<'a> {
    /// An empty window on the text that will be written.
    pub fn new(skip: usize, room: &'a mut [u8]) -> Self {
        Window { skip, room, put: 0 }
    }

    /// Bytes in it.
    pub fn put(&self) -> usize {
        self.put
    }
}

impl fmt::Write for Window<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            let Some(place) = self.room.get_mut(self.put) else {
                return Err(fmt::Error);
            };
            *place = byte;
            self.put += 1;
        }
        Ok(())
    }
}
