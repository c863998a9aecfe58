/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kill reasons, as the kernel's own formatting writes them.  A long is 32
 * bits here whatever the compiler's is, so the C library's would not do.
 */
#ifndef LG_FORMAT_H
#define LG_FORMAT_H

#include "lg.h"

/* The longest reason is SHUTDOWN's: 127 bytes of the guest's and a prefix. */
#define LG_TEXT_MAX 256

struct lg_text {
	u32 len;
	char bytes[LG_TEXT_MAX];
};

static void lg_put_char(struct lg_text *text, char c)
{
	if (text->len < LG_TEXT_MAX)
		text->bytes[text->len++] = c;
}

static void lg_put_string(struct lg_text *text, const char *s)
{
	while (*s)
		lg_put_char(text, *s++);
}

static void lg_put_number(struct lg_text *text, u32 value, u32 base,
			  u32 least_digits)
{
	char digits[10];
	u32 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	while (n < least_digits)
		digits[n++] = '0';
	while (n)
		lg_put_char(text, digits[--n]);
}

static void lg_put_pointer(struct lg_text *text, const void *pointer)
{
	u32 address = LG_LAUNCHER_ADDRESS(pointer);

	if (address)
		lg_put_number(text, address, 16, 8);
	else
		lg_put_string(text, "  (null)");
}

/* %s, %p, %u, %i, %x, with l and #: all that lguest's reasons use. */
static noinline void lg_format(struct lg_text *text, const char *format,
			       __builtin_va_list args)
{
	text->len = 0;
	for (; *format; format++) {
		bool prefix = false;
		u32 value;

		if (*format != '%') {
			lg_put_char(text, *format);
			continue;
		}
		for (format++; *format == '#' || *format == 'l'; format++)
			prefix |= *format == '#';
		switch (*format) {
		case 's':
			lg_put_string(text,
				      __builtin_va_arg(args, const char *));
			break;
		case 'p':
			lg_put_pointer(text,
				       __builtin_va_arg(args, const void *));
			break;
		case 'x':
			if (prefix)
				lg_put_string(text, "0x");
			lg_put_number(text, __builtin_va_arg(args, u32), 16, 1);
			break;
		case 'u':
			lg_put_number(text, __builtin_va_arg(args, u32), 10, 1);
			break;
		case 'i':
		case 'd':
			value = __builtin_va_arg(args, u32);
			if (value >> 31) {
				lg_put_char(text, '-');
				value = -value;
			}
			lg_put_number(text, value, 10, 1);
			break;
		default:
			lg_put_char(text, *format);
			break;
		}
	}
}

static noinline void lg_kill(struct lguest *lg, const char *format, ...)
{
	struct lg_text text;
	__builtin_va_list args;

	__builtin_va_start(args, format);
	lg_format(&text, format, args);
	__builtin_va_end(args);
	lg->dead = lg_kasprintf(text.bytes, text.len) ? 1 : -ENOMEM;
}

#endif
