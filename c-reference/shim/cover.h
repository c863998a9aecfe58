/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Included before the original when it is compiled with trace-pc: its calls
 * go to the shim's counter, for libFuzzer has a function of the usual name
 * that only aborts.
 */
__asm__(".set __sanitizer_cov_trace_pc, lg_cover_pc");
