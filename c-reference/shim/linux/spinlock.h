/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Included by the original, which uses nothing of it. */
#ifndef LG_LINUX_SPINLOCK_H
#define LG_LINUX_SPINLOCK_H
#endif
