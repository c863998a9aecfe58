// SPDX-License-Identifier: GPL-2.0-or-later
//! The original's exported functions, by the plain C convention.

/// The functions of one mode, their names behind a prefix, over the table of primitives that is named so too.
macro_rules! exports {
    ($module:ident, $mode:ty, $prefix:literal) => {
        /// The original's exported functions in one paging mode.
        ///
        /// Pointers are to C structures that are whole and in nobody else's use, as the original asks for them.
        pub mod $module {
            use lguest_shadow::{Gpa, Gva, Mode};

            use crate::bindings as c;
            use crate::guest::{on_cpu, on_guest};
            use crate::kernel::Primitives;

            type M = $mode;
            /// `pte_t`, by value.
            type pte_t = <M as Mode>::Entry;

            unsafe extern "C" {
                #[link_name = concat!($prefix, "primitives")]
                safe static PRIMITIVES: Primitives;
            }

            /// C 1073–1093.
            #[unsafe(export_name = concat!($prefix, "init_guest_pagetable"))]
            pub unsafe extern "C" fn init_guest_pagetable(lg: *mut c::lguest) -> i32 {
                // SAFETY: the caller's word; so below.
                unsafe { on_guest::<M, _>(&PRIMITIVES, lg, |guest| guest.init_guest_pagetable()) }
            }

            /// C 1128–1137.
            #[unsafe(export_name = concat!($prefix, "free_guest_pagetable"))]
            pub unsafe extern "C" fn free_guest_pagetable(lg: *mut c::lguest) {
                // SAFETY: as above.
                unsafe { on_guest::<M, _>(&PRIMITIVES, lg, |guest| guest.free_guest_pagetable()) }
            }

            /// C 393–538.
            #[unsafe(export_name = concat!($prefix, "demand_page"))]
            pub unsafe extern "C" fn demand_page(
                cpu: *mut c::lg_cpu,
                vaddr: u32,
                errcode: i32,
                iomem: *mut u32,
            ) -> bool {
                let mut out = 0;
                // SAFETY: as above.
                let fixed = unsafe {
                    on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| {
                        guest.demand_page(Gva(vaddr), errcode as u32, &mut out)
                    })
                };
                // SAFETY: as above.
                unsafe { *iomem = out };
                fixed
            }

            /// C 578–584.
            #[unsafe(export_name = concat!($prefix, "pin_page"))]
            pub unsafe extern "C" fn pin_page(cpu: *mut c::lg_cpu, vaddr: u32) {
                // SAFETY: as above.
                unsafe { on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| guest.pin_page(Gva(vaddr))) }
            }

            /// C 1167–1226; the original does not look at what `pages` points to.
            #[unsafe(export_name = concat!($prefix, "map_switcher_in_guest"))]
            pub unsafe extern "C" fn map_switcher_in_guest(
                cpu: *mut c::lg_cpu,
                _pages: *mut core::ffi::c_void,
            ) {
                // SAFETY: as above.
                unsafe { on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| guest.map_switcher_in_guest()) }
            }

            /// C 719–726.
            #[unsafe(export_name = concat!($prefix, "guest_pa"))]
            pub unsafe extern "C" fn guest_pa(cpu: *mut c::lg_cpu, vaddr: u32) -> u32 {
                // SAFETY: as above.
                unsafe { on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| guest.guest_pa(Gva(vaddr))) }
            }

            /// C 676–713.
            #[unsafe(export_name = concat!($prefix, "__guest_pa"))]
            pub unsafe extern "C" fn __guest_pa(
                cpu: *mut c::lg_cpu,
                vaddr: u32,
                paddr: *mut u32,
            ) -> bool {
                let mut out = 0;
                // SAFETY: as above.
                let found = unsafe {
                    on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| {
                        guest.__guest_pa(Gva(vaddr), &mut out)
                    })
                };
                // SAFETY: as above.
                unsafe { *paddr = out };
                found
            }

            /// C 989–1014.
            #[unsafe(export_name = concat!($prefix, "guest_set_pte"))]
            pub unsafe extern "C" fn guest_set_pte(
                cpu: *mut c::lg_cpu,
                gpgdir: u32,
                vaddr: u32,
                gpte: pte_t,
            ) {
                // SAFETY: as above.
                unsafe {
                    on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| {
                        guest.guest_set_pte(Gpa(gpgdir), Gva(vaddr), gpte)
                    })
                }
            }

            /// C 1030–1052.
            #[unsafe(export_name = concat!($prefix, "guest_set_pgd"))]
            pub unsafe extern "C" fn guest_set_pgd(lg: *mut c::lguest, gpgdir: u32, idx: u32) {
                // SAFETY: as above.
                unsafe {
                    on_guest::<M, _>(&PRIMITIVES, lg, |guest| {
                        guest.guest_set_pgd(Gpa(gpgdir), idx)
                    })
                }
            }

            /// C 1056–1059; PAE alone calls it.
            #[unsafe(export_name = concat!($prefix, "guest_set_pmd"))]
            pub unsafe extern "C" fn guest_set_pmd(lg: *mut c::lguest, pmdp: u32, idx: u32) {
                // SAFETY: as above.
                unsafe {
                    on_guest::<M, _>(&PRIMITIVES, lg, |guest| guest.guest_set_pmd(Gpa(pmdp), idx))
                }
            }

            /// C 867–904.
            #[unsafe(export_name = concat!($prefix, "guest_new_pagetable"))]
            pub unsafe extern "C" fn guest_new_pagetable(cpu: *mut c::lg_cpu, pgtable: u32) {
                // SAFETY: as above.
                unsafe {
                    on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| {
                        guest.guest_new_pagetable(Gpa(pgtable))
                    })
                }
            }

            /// C 668–673.
            #[unsafe(export_name = concat!($prefix, "guest_pagetable_flush_user"))]
            pub unsafe extern "C" fn guest_pagetable_flush_user(cpu: *mut c::lg_cpu) {
                // SAFETY: as above.
                unsafe {
                    on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| guest.guest_pagetable_flush_user())
                }
            }

            /// C 850–858.
            #[unsafe(export_name = concat!($prefix, "guest_pagetable_clear_all"))]
            pub unsafe extern "C" fn guest_pagetable_clear_all(cpu: *mut c::lg_cpu) {
                // SAFETY: as above.
                unsafe {
                    on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| guest.guest_pagetable_clear_all())
                }
            }

            /// C 1096–1125.
            #[unsafe(export_name = concat!($prefix, "page_table_guest_data_init"))]
            pub unsafe extern "C" fn page_table_guest_data_init(cpu: *mut c::lg_cpu) {
                // SAFETY: as above.
                unsafe {
                    on_cpu::<M, _>(&PRIMITIVES, cpu, |guest| {
                        guest.page_table_guest_data_init();
                        Ok(())
                    })
                }
            }
        }
    };
}
