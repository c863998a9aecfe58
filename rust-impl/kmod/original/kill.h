/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef LG_KILL_H
#define LG_KILL_H

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

#endif
