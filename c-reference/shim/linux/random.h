/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random draws are the host's. */
#ifndef LG_LINUX_RANDOM_H
#define LG_LINUX_RANDOM_H

#include <linux/kernel.h>

#define prandom_u32() lg_prandom_u32()

#endif
