// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The original, byte for byte, as code of this kernel, and what stood around
 * it in lguest.  The build puts page_tables.c and the rig's own headers of
 * the neighbours (c-reference/shim) beside this file.
 */
#include "page_tables.c"

/* Kill reasons are formatted by this kernel; v4.4 did not hash %p. */
static noinline void lg_kill(struct lguest *lg, const char *format, ...)
{
	char text[256];
	va_list args;
	int len;

	va_start(args, format);
	if (!strcmp(format, "bad guest page %p")) {
		void *page = va_arg(args, void *);

		len = page ? scnprintf(text, sizeof(text), "bad guest page %px",
				       page) :
			     scnprintf(text, sizeof(text),
				       "bad guest page   (null)");
	} else {
		len = vscnprintf(text, sizeof(text), format, args);
	}
	va_end(args);
	lg->dead = lg_kasprintf(text, len) ? 1 : -ENOMEM;
}

#define LG_CALL lg_call

#include "guest_memory.h"
#include "stack.h"
#include "hypercalls.h"
#include "entries.h"
