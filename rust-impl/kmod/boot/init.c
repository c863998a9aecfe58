// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first process of a boot: loads the modules, replays all scenarios on
 * each, and ends the machine with a status.
 */
#include "replay.h"
#include "probe.h"
#include "life.h"

void *memcpy(void *to, const void *from, u32 n)
{
	u8 *x = to;
	const u8 *y = from;

	while (n--)
		*x++ = *y++;
	return to;
}

void *memset(void *to, int value, u32 n)
{
	u8 *x = to;

	while (n--)
		*x++ = value;
	return to;
}

static long load(const char *path, const char *options)
{
	long in = sys_open(path, 0), result = in;

	if (in >= 0) {
		result = sys_finit_module(in, options);
		sys_close(in);
	}
	return result;
}

/* A file's bytes in memory, or 0. */
static const u8 *whole(const char *path, u32 *size)
{
	long in = sys_open(path, 0), n;
	u32 room = PACK_ROOM;
	u8 *at;

	if (in < 0)
		return 0;
	at = (u8 *)sys_mmap(0, room, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	*size = 0;
	while ((n = sys_read(in, at + *size, room - *size)) > 0)
		*size += n;
	sys_close(in);
	/* Children that are forked have no use for it. */
	sys_madvise(at, room, MADV_DONTFORK);
	return at;
}

static void finish(u32 bad)
{
	put("RESULT ");
	put_number(passed);
	put(" passed, ");
	put_number(failures);
	put(" failed\n");
	put(bad ? "END fail\n" : "END pass\n");
	/* Until the console has it all (TCSBRK). */
	sys_ioctl(1, 0x5409, 1);
	/* isa-debug-exit: twice the value and one is QEMU's status. */
	sys3(110, 3, 0, 0);
	__asm__ volatile("outb %0, $0xf4" ::"a"((u8)(bad ? 17 : 16)));
	sys_reboot();
	for (;;)
		;
}

/* Bytes of the pack before its first trace: scenarios that are short. */
static u32 before_traces(const u8 *pack, u32 size)
{
	u32 at = 0;

	while (at + sizeof(struct entry) <= size) {
		const struct entry *e = (const void *)(pack + at);

		if (e->part != 1)
			break;
		at += sizeof(*e) + ((e->bytes_len + 3) & ~3u) +
		      ((e->lines_len + 3) & ~3u) + 8 * e->digests;
	}
	return at;
}

/* What is done with a module beside the replay. */
enum { ALONE, PROBED, AND_ITS_LIFE };

/* A module's run: load, replay, tests of its life if asked for, unload. */
static void with_module(const char *path, const char *options, const char *on,
			const char *name, const u8 *pack, u32 size, u32 count,
			int more)
{
	long result = load(path, options);

	if (result == -2)
		return;
	put("LOAD ");
	put(name);
	put(" ");
	put(options);
	put(" ");
	put_number(result);
	put("\n");
	if (result < 0) {
		failures++;
		return;
	}
	if (pack)
		replay(pack, size, on, count);
	if (more >= PROBED && pack && !at_end())
		probes(pack, size, on);
	if (more >= AND_ITS_LIFE && pack && !at_end())
		lives(path, on, name, pack, size, before_traces(pack, size));
	result = sys_delete_module(name);
	if (result < 0) {
		put("UNLOAD ");
		put_number(result);
		put("\n");
		failures++;
	}
}

void _start(void);
void _start(void)
{
	const u8 *pack, *hardened;
	u32 size = 0, hardened_size = 0;
	/* Boots for alarms: without the module's life. */
	long is_short;

	sys_mkdir("/proc");
	sys_mkdir("/sys");
	sys_mount("none", "/dev", "devtmpfs");
	sys_mount("none", "/proc", "proc");
	sys_mount("none", "/sys", "sysfs");
	sys_mount("none", "/sys/kernel/debug", "debugfs");
	sys_dup2(sys_open("/dev/ttyS0", O_RDWR), 1);
	put("BEGIN\n");
	run_on(FIRST_CPU);
	is_short = sys_open("/short", 0) >= 0;
	until_first = sys_open("/first", 0) >= 0;
	pack = whole("/pack", &size);
	hardened = whole("/hardened", &hardened_size);
	subject = "pair";
	with_module("/lguest_pair.ko", "policy=0", "/dev/lguest_pair",
		    "lguest_pair", pack, size, 2, ALONE);
	subject = "dropin";
	with_module("/lguest_dropin.ko", "policy=0", "/dev/lguest_dropin",
		    "lguest_dropin", pack, size, 2, ALONE);
	/* The policy that it comes with. */
	subject = "hardened";
	with_module("/lguest_shadow.ko", "", "/dev/lguest_shadow",
		    "lguest_shadow", hardened, hardened_size, 1, PROBED);
	subject = "shadow";
	with_module("/lguest_shadow.ko", "policy=0", "/dev/lguest_shadow",
		    "lguest_shadow", pack, size, 1,
		    is_short ? PROBED : AND_ITS_LIFE);
	finish(failures || !passed);
}
