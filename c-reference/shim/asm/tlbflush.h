/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Included by the original, which uses nothing of it. */
#ifndef LG_ASM_TLBFLUSH_H
#define LG_ASM_TLBFLUSH_H
#endif
