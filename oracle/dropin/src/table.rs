// SPDX-License-Identifier: GPL-2.0-or-later
//! The bugs that are planted in copies of the drop-in, one in each.

/// A place of the drop-in's source and what stands there instead.
pub struct Bug {
    /// The copy's name.
    pub name: &'static str,
    /// The file below `rust-impl/dropin/src`.
    pub file: &'static str,
    /// What stands there once.
    pub from: &'static str,
    /// What replaces it.
    pub to: &'static str,
}

/// All of them.
pub const BUGS: &[Bug] = &[
    Bug {
        name: "cpu_not_stored",
        file: "guest.rs",
        from: "to.last_host_cpu = from.last_host_cpu;",
        to: "",
    },
    Bug {
        name: "kernel_address_not_stored",
        file: "guest.rs",
        from: "(*kernel.lg()).kernel_address = guest.kernel_address;",
        to: "",
    },
    Bug {
        name: "linear_mode_not_loaded",
        file: "guest.rs",
        from: "linear_pages: cpu.linear_pages,",
        to: "linear_pages: true,",
    },
    Bug {
        name: "pins_not_counted_on",
        file: "guest.rs",
        from: "kernel.set_pins(guest.pins);",
        to: "",
    },
    Bug {
        name: "always_for_writing",
        file: "kernel.rs",
        from: "ask!(self.get_user_pages_fast(addr, write))",
        to: "ask!(self.get_user_pages_fast(addr, write | 1))",
    },
    Bug {
        name: "tables_leak",
        file: "kernel.rs",
        from: "ask!(self.free_page(pa));",
        to: "ask!(self.free_page(pa & 0));",
    },
    Bug {
        name: "pgd_stored_as_pte",
        file: "kernel.rs",
        from: "ask!(self.set_pgd(slot.pa(), entry.wide()));",
        to: "ask!(self.set_pte(slot.pa(), entry.wide()));",
    },
    Bug {
        name: "crash_of_another_kind",
        file: "kernel.rs",
        from: "bug.kind() as u32",
        to: "bug.kind() as u32 ^ 1",
    },
    Bug {
        name: "no_iomem",
        file: "exports.rs",
        from: "unsafe { *iomem = out };",
        to: "",
    },
];
