/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's names for fixed-width types; addresses are 32 bits wide. */
#ifndef LG_LINUX_TYPES_H
#define LG_LINUX_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;

#ifdef CONFIG_X86_PAE
typedef u64 phys_addr_t;
#else
typedef u32 phys_addr_t;
#endif

#define __user

#endif
