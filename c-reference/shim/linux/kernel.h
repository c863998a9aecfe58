/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hints, array sizes, error numbers, and BUG_ON as a way out of the door. */
#ifndef LG_LINUX_KERNEL_H
#define LG_LINUX_KERNEL_H

#include <linux/types.h>
#include "door.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define noinline __attribute__((__noinline__))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define ENOMEM 12
#define ERESTART 85

#define BUG_ON(condition)                                \
	do {                                             \
		if (unlikely(condition))                 \
			lg_crash(LG_CRASH_BUG_ON, 0);    \
	} while (0)

/*
 * Host primitives are inline, or (to count the original's own instructions
 * apart from them) functions of their own.
 */
#ifdef LG_OUTLINE
#define LG_PRIMITIVE static __attribute__((__noinline__, __unused__))
#else
#define LG_PRIMITIVE static inline __attribute__((__always_inline__, __unused__))
#endif

#endif
