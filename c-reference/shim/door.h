/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words by which the two compilations of the original reach the world
 * they run in: whose turn it is, the callbacks, and the way out of a crash.
 */
#ifndef LG_DOOR_H
#define LG_DOOR_H

#include "world.h"

#ifdef LG_LLP64
/* That target has no ELF thread-locals: a System V function asks for it. */
LG_SYSV __attribute__((const)) struct lg_world *lg_world_now(void);
#define lg_here() lg_world_now()
#else
extern __thread struct lg_world *lg_world_here
	__attribute__((tls_model("initial-exec"), visibility("hidden")));
#define lg_here() lg_world_here
#endif

/* Leaves the original; `lg_enter` returns the crash. */
LG_SYSV __attribute__((noreturn, cold)) void lg_crash(uint32_t kind,
						      uint32_t pfn);

LG_SYSV uint32_t lg_get_zeroed_page(void);
LG_SYSV void lg_free_page(uint32_t pa);
LG_SYSV uint32_t lg_get_user_pages_fast(uint32_t addr, uint32_t write);
/* Both return the number of bytes not copied: none or all. */
LG_SYSV uint32_t lg_copy_from_user(void *to, uint32_t from, uint32_t len);
LG_SYSV uint32_t lg_copy_to_user(uint32_t to, const void *from, uint32_t len);
LG_SYSV uint32_t lg_prandom_u32(void);
LG_SYSV bool lg_kasprintf(const char *text, uint32_t len);
LG_SYSV __attribute__((cold)) void lg_event(void);
LG_SYSV __attribute__((cold)) void lg_traced(uint32_t kind, uint64_t a,
					     uint64_t b);

#endif
