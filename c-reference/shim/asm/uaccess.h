/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launcher's memory, by its 32-bit addresses.  As on the real thing, a
 * get_user that fails leaves zero behind.
 */
#ifndef LG_ASM_UACCESS_H
#define LG_ASM_UACCESS_H

#include <linux/kernel.h>

#define EFAULT 14

#define LG_LAUNCHER_ADDRESS(pointer) ((u32)(u64)(pointer))

#define copy_from_user(to, from, len) \
	lg_copy_from_user((to), LG_LAUNCHER_ADDRESS(from), (len))
#define copy_to_user(to, from, len) \
	lg_copy_to_user(LG_LAUNCHER_ADDRESS(to), (from), (len))

#define get_user(x, pointer)                                          \
	({                                                            \
		__typeof__(*(pointer)) lg_got = 0;                    \
		u32 lg_left = copy_from_user(&lg_got, (pointer),      \
					     sizeof(lg_got));         \
		(x) = lg_left ? 0 : lg_got;                           \
		lg_left ? -EFAULT : 0;                                \
	})

#define put_user(x, pointer)                                          \
	({                                                            \
		__typeof__(*(pointer)) lg_put = (x);                  \
		copy_to_user((pointer), &lg_put, sizeof(lg_put)) ?    \
			-EFAULT : 0;                                  \
	})

#endif
