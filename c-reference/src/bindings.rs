// SPDX-License-Identifier: GPL-2.0-or-later
//! What the C and the Rust share, made by bindgen from `shim/world.h`; the
//! program in `bindings/` makes it anew.

pub const LG_MAX_CPUS: u32 = 32;
pub const LG_MAX_SWITCHER_PAGES: u32 = 65;
pub const LG_MAX_PINS: u32 = 64;
pub const LG_PGDIRS: u32 = 4;
pub const LG_NO_PFN: u32 = 4294967295;
pub const LG_NULL_SPAN: u32 = 65536;
pub const LG_CRASH_NONE: lg_crash_kind = 0;
pub const LG_CRASH_BUG_ON: lg_crash_kind = 1;
pub const LG_CRASH_NULL_ENTRY: lg_crash_kind = 2;
pub const LG_CRASH_OUTSIDE_PAGE: lg_crash_kind = 3;
pub const LG_CRASH_WILD_PAGE: lg_crash_kind = 4;
pub const LG_CRASH_BAD_FREE: lg_crash_kind = 5;
pub const LG_CRASH_PUT_NOT_HELD: lg_crash_kind = 6;
pub const LG_CRASH_LOCKUP: lg_crash_kind = 7;
pub const LG_CRASH_DIRTY_FREE: lg_crash_kind = 8;
pub type lg_crash_kind = ::core::ffi::c_uint;
pub const LG_CALL_GET_ZEROED_PAGE: lg_call_kind = 1;
pub const LG_CALL_FREE_PAGE: lg_call_kind = 2;
pub const LG_CALL_GET_USER_PAGES_FAST: lg_call_kind = 3;
pub const LG_CALL_GET_PAGE: lg_call_kind = 4;
pub const LG_CALL_PUT_PAGE: lg_call_kind = 5;
pub const LG_CALL_COPY_FROM_USER: lg_call_kind = 6;
pub const LG_CALL_COPY_TO_USER: lg_call_kind = 7;
pub const LG_CALL_PRANDOM_U32: lg_call_kind = 8;
pub const LG_CALL_KASPRINTF: lg_call_kind = 9;
pub const LG_CALL_SET_PTE: lg_call_kind = 10;
pub const LG_CALL_SET_PMD: lg_call_kind = 11;
pub const LG_CALL_SET_PGD: lg_call_kind = 12;
pub type lg_call_kind = ::core::ffi::c_uint;
pub const LG_ENTRY_INIT_GUEST_PAGETABLE: lg_entry = 0;
pub const LG_ENTRY_FREE_GUEST_PAGETABLE: lg_entry = 1;
pub const LG_ENTRY_DEMAND_PAGE: lg_entry = 2;
pub const LG_ENTRY_PIN_PAGE: lg_entry = 3;
pub const LG_ENTRY_MAP_SWITCHER_IN_GUEST: lg_entry = 4;
pub const LG_ENTRY_GUEST_PA: lg_entry = 5;
pub const LG_ENTRY_TRY_GUEST_PA: lg_entry = 6;
pub const LG_ENTRY_GUEST_SET_PTE: lg_entry = 7;
pub const LG_ENTRY_GUEST_SET_PGD: lg_entry = 8;
pub const LG_ENTRY_GUEST_SET_PMD: lg_entry = 9;
pub const LG_ENTRY_GUEST_NEW_PAGETABLE: lg_entry = 10;
pub const LG_ENTRY_GUEST_PAGETABLE_FLUSH_USER: lg_entry = 11;
pub const LG_ENTRY_GUEST_PAGETABLE_CLEAR_ALL: lg_entry = 12;
pub const LG_ENTRY_PAGE_TABLE_GUEST_DATA_INIT: lg_entry = 13;
pub const LG_ENTRY_GUEST_SET_STACK: lg_entry = 14;
pub const LG_ENTRY_PIN_STACK_PAGES: lg_entry = 15;
pub const LG_ENTRY_DO_HYPERCALLS: lg_entry = 16;
pub const LG_ENTRY_DO_ASYNC_HCALLS: lg_entry = 17;
pub const LG_ENTRY_DO_HCALL: lg_entry = 18;
pub const LG_ENTRY_INITIALIZE: lg_entry = 19;
pub const LG_ENTRY_LGREAD: lg_entry = 20;
pub const LG_ENTRY_LGWRITE: lg_entry = 21;
pub const LG_ENTRY_FORMAT: lg_entry = 22;
pub const LG_ENTRY_NOTHING: lg_entry = 23;
pub type lg_entry = ::core::ffi::c_uint;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lg_pgd {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Copy, Clone)]
pub struct page {
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
    ["Size of pgdir"][::core::mem::size_of::<pgdir>() - 24usize];
    ["Alignment of pgdir"][::core::mem::align_of::<pgdir>() - 8usize];
    ["Offset of field: pgdir::gpgdir"][::core::mem::offset_of!(pgdir, gpgdir) - 0usize];
    [
        "Offset of field: pgdir::switcher_mapped",
    ][::core::mem::offset_of!(pgdir, switcher_mapped) - 4usize];
    [
        "Offset of field: pgdir::last_host_cpu",
    ][::core::mem::offset_of!(pgdir, last_host_cpu) - 8usize];
    ["Offset of field: pgdir::pgdir"][::core::mem::offset_of!(pgdir, pgdir) - 16usize];
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
    ["Size of lg_cpu"][::core::mem::size_of::<lg_cpu>() - 32usize];
    ["Alignment of lg_cpu"][::core::mem::align_of::<lg_cpu>() - 8usize];
    ["Offset of field: lg_cpu::lg"][::core::mem::offset_of!(lg_cpu, lg) - 0usize];
    [
        "Offset of field: lg_cpu::regs_page",
    ][::core::mem::offset_of!(lg_cpu, regs_page) - 8usize];
    [
        "Offset of field: lg_cpu::linear_pages",
    ][::core::mem::offset_of!(lg_cpu, linear_pages) - 12usize];
    [
        "Offset of field: lg_cpu::cpu_pgd",
    ][::core::mem::offset_of!(lg_cpu, cpu_pgd) - 16usize];
    ["Offset of field: lg_cpu::esp1"][::core::mem::offset_of!(lg_cpu, esp1) - 20usize];
    ["Offset of field: lg_cpu::ss1"][::core::mem::offset_of!(lg_cpu, ss1) - 24usize];
    [
        "Offset of field: lg_cpu::next_hcall",
    ][::core::mem::offset_of!(lg_cpu, next_hcall) - 28usize];
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
    ["Size of lguest"][::core::mem::size_of::<lguest>() - 168usize];
    ["Alignment of lguest"][::core::mem::align_of::<lguest>() - 8usize];
    [
        "Offset of field: lguest::lguest_data",
    ][::core::mem::offset_of!(lguest, lguest_data) - 0usize];
    [
        "Offset of field: lguest::mem_base",
    ][::core::mem::offset_of!(lguest, mem_base) - 8usize];
    ["Offset of field: lguest::cpus"][::core::mem::offset_of!(lguest, cpus) - 16usize];
    [
        "Offset of field: lguest::pfn_limit",
    ][::core::mem::offset_of!(lguest, pfn_limit) - 48usize];
    [
        "Offset of field: lguest::device_limit",
    ][::core::mem::offset_of!(lguest, device_limit) - 52usize];
    [
        "Offset of field: lguest::kernel_address",
    ][::core::mem::offset_of!(lguest, kernel_address) - 56usize];
    [
        "Offset of field: lguest::noirq_iret",
    ][::core::mem::offset_of!(lguest, noirq_iret) - 60usize];
    [
        "Offset of field: lguest::stack_pages",
    ][::core::mem::offset_of!(lguest, stack_pages) - 64usize];
    ["Offset of field: lguest::dead"][::core::mem::offset_of!(lguest, dead) - 68usize];
    [
        "Offset of field: lguest::pgdirs",
    ][::core::mem::offset_of!(lguest, pgdirs) - 72usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lg_shared {
    pub hash: u64,
    pub calls: u32,
    pub trace: u32,
    pub cpu: u32,
    pub nr_cpus: u32,
    pub switcher_addr: u32,
    pub data_base: u32,
    pub data_count: u32,
    pub pins: u32,
    pub pte_mask: u64,
    pub held: *mut i32,
    pub tsc_khz: u32,
    pub during: u32,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of lg_shared"][::core::mem::size_of::<lg_shared>() - 64usize];
    ["Alignment of lg_shared"][::core::mem::align_of::<lg_shared>() - 8usize];
    [
        "Offset of field: lg_shared::hash",
    ][::core::mem::offset_of!(lg_shared, hash) - 0usize];
    [
        "Offset of field: lg_shared::calls",
    ][::core::mem::offset_of!(lg_shared, calls) - 8usize];
    [
        "Offset of field: lg_shared::trace",
    ][::core::mem::offset_of!(lg_shared, trace) - 12usize];
    [
        "Offset of field: lg_shared::cpu",
    ][::core::mem::offset_of!(lg_shared, cpu) - 16usize];
    [
        "Offset of field: lg_shared::nr_cpus",
    ][::core::mem::offset_of!(lg_shared, nr_cpus) - 20usize];
    [
        "Offset of field: lg_shared::switcher_addr",
    ][::core::mem::offset_of!(lg_shared, switcher_addr) - 24usize];
    [
        "Offset of field: lg_shared::data_base",
    ][::core::mem::offset_of!(lg_shared, data_base) - 28usize];
    [
        "Offset of field: lg_shared::data_count",
    ][::core::mem::offset_of!(lg_shared, data_count) - 32usize];
    [
        "Offset of field: lg_shared::pins",
    ][::core::mem::offset_of!(lg_shared, pins) - 36usize];
    [
        "Offset of field: lg_shared::pte_mask",
    ][::core::mem::offset_of!(lg_shared, pte_mask) - 40usize];
    [
        "Offset of field: lg_shared::held",
    ][::core::mem::offset_of!(lg_shared, held) - 48usize];
    [
        "Offset of field: lg_shared::tsc_khz",
    ][::core::mem::offset_of!(lg_shared, tsc_khz) - 56usize];
    [
        "Offset of field: lg_shared::during",
    ][::core::mem::offset_of!(lg_shared, during) - 60usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lg_callbacks {
    pub get_zeroed_page: ::core::option::Option<
        unsafe extern "C" fn(context: *const ::core::ffi::c_void) -> u32,
    >,
    pub free_page: ::core::option::Option<
        unsafe extern "C" fn(context: *const ::core::ffi::c_void, pa: u32) -> u64,
    >,
    pub get_user_pages_fast: ::core::option::Option<
        unsafe extern "C" fn(
            context: *const ::core::ffi::c_void,
            addr: u32,
            write: u32,
        ) -> u32,
    >,
    pub copy_from_user: ::core::option::Option<
        unsafe extern "C" fn(
            context: *const ::core::ffi::c_void,
            to: *mut u8,
            from: u32,
            len: u32,
        ) -> bool,
    >,
    pub copy_to_user: ::core::option::Option<
        unsafe extern "C" fn(
            context: *const ::core::ffi::c_void,
            to: u32,
            from: *const u8,
            len: u32,
        ) -> bool,
    >,
    pub prandom_u32: ::core::option::Option<
        unsafe extern "C" fn(context: *const ::core::ffi::c_void) -> u32,
    >,
    pub kasprintf: ::core::option::Option<
        unsafe extern "C" fn(
            context: *const ::core::ffi::c_void,
            text: *const u8,
            len: u32,
        ) -> bool,
    >,
    pub event: ::core::option::Option<
        unsafe extern "C" fn(context: *const ::core::ffi::c_void),
    >,
    pub traced: ::core::option::Option<
        unsafe extern "C" fn(
            context: *const ::core::ffi::c_void,
            kind: u32,
            a: u64,
            b: u64,
        ),
    >,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of lg_callbacks"][::core::mem::size_of::<lg_callbacks>() - 72usize];
    ["Alignment of lg_callbacks"][::core::mem::align_of::<lg_callbacks>() - 8usize];
    [
        "Offset of field: lg_callbacks::get_zeroed_page",
    ][::core::mem::offset_of!(lg_callbacks, get_zeroed_page) - 0usize];
    [
        "Offset of field: lg_callbacks::free_page",
    ][::core::mem::offset_of!(lg_callbacks, free_page) - 8usize];
    [
        "Offset of field: lg_callbacks::get_user_pages_fast",
    ][::core::mem::offset_of!(lg_callbacks, get_user_pages_fast) - 16usize];
    [
        "Offset of field: lg_callbacks::copy_from_user",
    ][::core::mem::offset_of!(lg_callbacks, copy_from_user) - 24usize];
    [
        "Offset of field: lg_callbacks::copy_to_user",
    ][::core::mem::offset_of!(lg_callbacks, copy_to_user) - 32usize];
    [
        "Offset of field: lg_callbacks::prandom_u32",
    ][::core::mem::offset_of!(lg_callbacks, prandom_u32) - 40usize];
    [
        "Offset of field: lg_callbacks::kasprintf",
    ][::core::mem::offset_of!(lg_callbacks, kasprintf) - 48usize];
    [
        "Offset of field: lg_callbacks::event",
    ][::core::mem::offset_of!(lg_callbacks, event) - 56usize];
    [
        "Offset of field: lg_callbacks::traced",
    ][::core::mem::offset_of!(lg_callbacks, traced) - 64usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lg_world {
    pub lg: lguest,
    pub shared: *mut lg_shared,
    pub arena: u64,
    pub callbacks: *const lg_callbacks,
    pub context: *const ::core::ffi::c_void,
    pub call: ::core::option::Option<unsafe extern "C" fn(world: *mut lg_world)>,
    pub table_frames: u32,
    pub cpu: u32,
    pub nr_cpus: u32,
    pub entry: u32,
    pub args: [u32; 5usize],
    pub result: [u32; 2usize],
    pub inside: u32,
    pub crash: u64,
    pub door: *mut ::core::ffi::c_void,
    pub outer: *mut lg_world,
    pub switcher_pages: [*mut page; 65usize],
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of lg_world"][::core::mem::size_of::<lg_world>() - 800usize];
    ["Alignment of lg_world"][::core::mem::align_of::<lg_world>() - 8usize];
    ["Offset of field: lg_world::lg"][::core::mem::offset_of!(lg_world, lg) - 0usize];
    [
        "Offset of field: lg_world::shared",
    ][::core::mem::offset_of!(lg_world, shared) - 168usize];
    [
        "Offset of field: lg_world::arena",
    ][::core::mem::offset_of!(lg_world, arena) - 176usize];
    [
        "Offset of field: lg_world::callbacks",
    ][::core::mem::offset_of!(lg_world, callbacks) - 184usize];
    [
        "Offset of field: lg_world::context",
    ][::core::mem::offset_of!(lg_world, context) - 192usize];
    [
        "Offset of field: lg_world::call",
    ][::core::mem::offset_of!(lg_world, call) - 200usize];
    [
        "Offset of field: lg_world::table_frames",
    ][::core::mem::offset_of!(lg_world, table_frames) - 208usize];
    [
        "Offset of field: lg_world::cpu",
    ][::core::mem::offset_of!(lg_world, cpu) - 212usize];
    [
        "Offset of field: lg_world::nr_cpus",
    ][::core::mem::offset_of!(lg_world, nr_cpus) - 216usize];
    [
        "Offset of field: lg_world::entry",
    ][::core::mem::offset_of!(lg_world, entry) - 220usize];
    [
        "Offset of field: lg_world::args",
    ][::core::mem::offset_of!(lg_world, args) - 224usize];
    [
        "Offset of field: lg_world::result",
    ][::core::mem::offset_of!(lg_world, result) - 244usize];
    [
        "Offset of field: lg_world::inside",
    ][::core::mem::offset_of!(lg_world, inside) - 252usize];
    [
        "Offset of field: lg_world::crash",
    ][::core::mem::offset_of!(lg_world, crash) - 256usize];
    [
        "Offset of field: lg_world::door",
    ][::core::mem::offset_of!(lg_world, door) - 264usize];
    [
        "Offset of field: lg_world::outer",
    ][::core::mem::offset_of!(lg_world, outer) - 272usize];
    [
        "Offset of field: lg_world::switcher_pages",
    ][::core::mem::offset_of!(lg_world, switcher_pages) - 280usize];
};
#[repr(C)]
#[derive(Copy, Clone)]
pub struct lg_fact {
    pub name: *const ::core::ffi::c_char,
    pub value: u64,
}
#[allow(clippy::unnecessary_operation, clippy::identity_op)]
const _: () = {
    ["Size of lg_fact"][::core::mem::size_of::<lg_fact>() - 16usize];
    ["Alignment of lg_fact"][::core::mem::align_of::<lg_fact>() - 8usize];
    ["Offset of field: lg_fact::name"][::core::mem::offset_of!(lg_fact, name) - 0usize];
    [
        "Offset of field: lg_fact::value",
    ][::core::mem::offset_of!(lg_fact, value) - 8usize];
};
unsafe extern "C" {
    pub fn lg_install();
}
unsafe extern "C" {
    pub fn lg_enter(world: *mut lg_world) -> u64;
}
unsafe extern "C" {
    pub fn nopae_call(world: *mut lg_world);
}
unsafe extern "C" {
    pub fn pae_call(world: *mut lg_world);
}
unsafe extern "C" {
    pub static nopae_facts: [lg_fact; 0usize];
}
unsafe extern "C" {
    pub static pae_facts: [lg_fact; 0usize];
}
