// SPDX-License-Identifier: GPL-2.0-or-later
//! The C structures that the drop-in works on, made by bindgen from
//! `c-reference/shim/world.h` and `primitives.h`; the program in
//! `c-reference/bindings` makes it anew.

pub const LGD_NO_PFN: u32 = 4294967295;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lg_pgd {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lguest_data {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct pgdir {
    pub gpgdir: u32,
    pub switcher_mapped: bool,
    pub last_host_cpu: i32,
    pub pgdir: *mut lg_pgd,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of pgdir"][::core::mem::size_of::<pgdir>() - 16usize];
    ["Alignment of pgdir"][::core::mem::align_of::<pgdir>() - 4usize];
    ["Offset of field: pgdir::gpgdir"][::core::mem::offset_of!(pgdir, gpgdir) - 0usize];
    [
        "Offset of field: pgdir::switcher_mapped",
    ][::core::mem::offset_of!(pgdir, switcher_mapped) - 4usize];
    [
        "Offset of field: pgdir::last_host_cpu",
    ][::core::mem::offset_of!(pgdir, last_host_cpu) - 8usize];
    ["Offset of field: pgdir::pgdir"][::core::mem::offset_of!(pgdir, pgdir) - 12usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lg_cpu {
    pub lg: *mut lguest,
    pub regs_page: u32,
    pub linear_pages: bool,
    pub cpu_pgd: i32,
    pub esp1: u32,
    pub ss1: u32,
    pub next_hcall: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of lg_cpu"][::core::mem::size_of::<lg_cpu>() - 28usize];
    ["Alignment of lg_cpu"][::core::mem::align_of::<lg_cpu>() - 4usize];
    ["Offset of field: lg_cpu::lg"][::core::mem::offset_of!(lg_cpu, lg) - 0usize];
    [
        "Offset of field: lg_cpu::regs_page",
    ][::core::mem::offset_of!(lg_cpu, regs_page) - 4usize];
    [
        "Offset of field: lg_cpu::linear_pages",
    ][::core::mem::offset_of!(lg_cpu, linear_pages) - 8usize];
    [
        "Offset of field: lg_cpu::cpu_pgd",
    ][::core::mem::offset_of!(lg_cpu, cpu_pgd) - 12usize];
    ["Offset of field: lg_cpu::esp1"][::core::mem::offset_of!(lg_cpu, esp1) - 16usize];
    ["Offset of field: lg_cpu::ss1"][::core::mem::offset_of!(lg_cpu, ss1) - 20usize];
    [
        "Offset of field: lg_cpu::next_hcall",
    ][::core::mem::offset_of!(lg_cpu, next_hcall) - 24usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lguest {
    pub lguest_data: *mut lguest_data,
    pub mem_base: *mut ::core::ffi::c_void,
    pub cpus: [lg_cpu; 1usize],
    pub pfn_limit: u32,
    pub device_limit: u32,
    pub kernel_address: u32,
    pub noirq_iret: u32,
    pub stack_pages: u32,
    pub dead: i32,
    pub pgdirs: [pgdir; 4usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of lguest"][::core::mem::size_of::<lguest>() - 124usize];
    ["Alignment of lguest"][::core::mem::align_of::<lguest>() - 4usize];
    [
        "Offset of field: lguest::lguest_data",
    ][::core::mem::offset_of!(lguest, lguest_data) - 0usize];
    [
        "Offset of field: lguest::mem_base",
    ][::core::mem::offset_of!(lguest, mem_base) - 4usize];
    ["Offset of field: lguest::cpus"][::core::mem::offset_of!(lguest, cpus) - 8usize];
    [
        "Offset of field: lguest::pfn_limit",
    ][::core::mem::offset_of!(lguest, pfn_limit) - 36usize];
    [
        "Offset of field: lguest::device_limit",
    ][::core::mem::offset_of!(lguest, device_limit) - 40usize];
    [
        "Offset of field: lguest::kernel_address",
    ][::core::mem::offset_of!(lguest, kernel_address) - 44usize];
    [
        "Offset of field: lguest::noirq_iret",
    ][::core::mem::offset_of!(lguest, noirq_iret) - 48usize];
    [
        "Offset of field: lguest::stack_pages",
    ][::core::mem::offset_of!(lguest, stack_pages) - 52usize];
    ["Offset of field: lguest::dead"][::core::mem::offset_of!(lguest, dead) - 56usize];
    [
        "Offset of field: lguest::pgdirs",
    ][::core::mem::offset_of!(lguest, pgdirs) - 60usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lgd_primitives {
    pub get_zeroed_page: ::core::option::Option<unsafe extern "C" fn() -> u32>,
    pub free_page: ::core::option::Option<unsafe extern "C" fn(pa: u32)>,
    pub get_user_pages_fast: ::core::option::Option<
        unsafe extern "C" fn(addr: u32, write: u32) -> u32,
    >,
    pub get_page: ::core::option::Option<unsafe extern "C" fn(pfn: u32)>,
    pub put_page: ::core::option::Option<unsafe extern "C" fn(pfn: u32)>,
    pub copy_from_user: ::core::option::Option<
        unsafe extern "C" fn(to: *mut ::core::ffi::c_void, from: u32, len: u32) -> u32,
    >,
    pub copy_to_user: ::core::option::Option<
        unsafe extern "C" fn(to: u32, from: *const ::core::ffi::c_void, len: u32) -> u32,
    >,
    pub prandom_u32: ::core::option::Option<unsafe extern "C" fn() -> u32>,
    pub kill_guest: ::core::option::Option<
        unsafe extern "C" fn(
            cpu: *mut lg_cpu,
            text: *const ::core::ffi::c_void,
            len: u32,
        ) -> u32,
    >,
    pub smp_processor_id: ::core::option::Option<unsafe extern "C" fn() -> u32>,
    pub possible_cpus: ::core::option::Option<unsafe extern "C" fn() -> u32>,
    pub switcher: ::core::option::Option<unsafe extern "C" fn() -> u32>,
    pub switcher_page: ::core::option::Option<unsafe extern "C" fn(i: u32) -> u32>,
    pub supported_pte_mask: ::core::option::Option<unsafe extern "C" fn() -> u64>,
    pub pa: ::core::option::Option<
        unsafe extern "C" fn(va: *const ::core::ffi::c_void) -> u32,
    >,
    pub va: ::core::option::Option<
        unsafe extern "C" fn(pa: u32) -> *mut ::core::ffi::c_void,
    >,
    pub table: ::core::option::Option<
        unsafe extern "C" fn(pa: u32) -> *mut ::core::ffi::c_void,
    >,
    pub set_pte: ::core::option::Option<unsafe extern "C" fn(pa: u32, value: u64)>,
    pub set_pmd: ::core::option::Option<unsafe extern "C" fn(pa: u32, value: u64)>,
    pub set_pgd: ::core::option::Option<unsafe extern "C" fn(pa: u32, value: u64)>,
    pub pins: ::core::option::Option<unsafe extern "C" fn() -> *mut u32>,
    pub policy: ::core::option::Option<unsafe extern "C" fn() -> u32>,
    pub crash: ::core::option::Option<unsafe extern "C" fn(kind: u32, pfn: u32)>,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of lgd_primitives"][::core::mem::size_of::<lgd_primitives>() - 92usize];
    ["Alignment of lgd_primitives"][::core::mem::align_of::<lgd_primitives>() - 4usize];
    [
        "Offset of field: lgd_primitives::get_zeroed_page",
    ][::core::mem::offset_of!(lgd_primitives, get_zeroed_page) - 0usize];
    [
        "Offset of field: lgd_primitives::free_page",
    ][::core::mem::offset_of!(lgd_primitives, free_page) - 4usize];
    [
        "Offset of field: lgd_primitives::get_user_pages_fast",
    ][::core::mem::offset_of!(lgd_primitives, get_user_pages_fast) - 8usize];
    [
        "Offset of field: lgd_primitives::get_page",
    ][::core::mem::offset_of!(lgd_primitives, get_page) - 12usize];
    [
        "Offset of field: lgd_primitives::put_page",
    ][::core::mem::offset_of!(lgd_primitives, put_page) - 16usize];
    [
        "Offset of field: lgd_primitives::copy_from_user",
    ][::core::mem::offset_of!(lgd_primitives, copy_from_user) - 20usize];
    [
        "Offset of field: lgd_primitives::copy_to_user",
    ][::core::mem::offset_of!(lgd_primitives, copy_to_user) - 24usize];
    [
        "Offset of field: lgd_primitives::prandom_u32",
    ][::core::mem::offset_of!(lgd_primitives, prandom_u32) - 28usize];
    [
        "Offset of field: lgd_primitives::kill_guest",
    ][::core::mem::offset_of!(lgd_primitives, kill_guest) - 32usize];
    [
        "Offset of field: lgd_primitives::smp_processor_id",
    ][::core::mem::offset_of!(lgd_primitives, smp_processor_id) - 36usize];
    [
        "Offset of field: lgd_primitives::possible_cpus",
    ][::core::mem::offset_of!(lgd_primitives, possible_cpus) - 40usize];
    [
        "Offset of field: lgd_primitives::switcher",
    ][::core::mem::offset_of!(lgd_primitives, switcher) - 44usize];
    [
        "Offset of field: lgd_primitives::switcher_page",
    ][::core::mem::offset_of!(lgd_primitives, switcher_page) - 48usize];
    [
        "Offset of field: lgd_primitives::supported_pte_mask",
    ][::core::mem::offset_of!(lgd_primitives, supported_pte_mask) - 52usize];
    [
        "Offset of field: lgd_primitives::pa",
    ][::core::mem::offset_of!(lgd_primitives, pa) - 56usize];
    [
        "Offset of field: lgd_primitives::va",
    ][::core::mem::offset_of!(lgd_primitives, va) - 60usize];
    [
        "Offset of field: lgd_primitives::table",
    ][::core::mem::offset_of!(lgd_primitives, table) - 64usize];
    [
        "Offset of field: lgd_primitives::set_pte",
    ][::core::mem::offset_of!(lgd_primitives, set_pte) - 68usize];
    [
        "Offset of field: lgd_primitives::set_pmd",
    ][::core::mem::offset_of!(lgd_primitives, set_pmd) - 72usize];
    [
        "Offset of field: lgd_primitives::set_pgd",
    ][::core::mem::offset_of!(lgd_primitives, set_pgd) - 76usize];
    [
        "Offset of field: lgd_primitives::pins",
    ][::core::mem::offset_of!(lgd_primitives, pins) - 80usize];
    [
        "Offset of field: lgd_primitives::policy",
    ][::core::mem::offset_of!(lgd_primitives, policy) - 84usize];
    [
        "Offset of field: lgd_primitives::crash",
    ][::core::mem::offset_of!(lgd_primitives, crash) - 88usize];
};
