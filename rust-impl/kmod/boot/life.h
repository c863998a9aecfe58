/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BOOT_LIFE_H
#define BOOT_LIFE_H
static void lives(const char *path, const char *on, const char *name,
		  const u8 *pack, u32 size)
{
}
#endif
