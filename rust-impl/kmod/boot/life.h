/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What befalls a module in its life: loaded and unloaded many times, clients
 * that are killed, that come four at a time, that write anything at all.
 */
#ifndef BOOT_LIFE_H
#define BOOT_LIFE_H

#include "replay.h"

/* Bytes of memory that the pack is read into. */
#define PACK_ROOM (96u << 20)
/*
 * KiB by which memory that nobody accounts for may grow over the rounds that
 * are counted.  A page that each scenario leaked would make more than 3000
 * of it.
 */
#define DRIFT 1024
/* The same for MemFree alone, which falls for other reasons too. */
#define DRIFT_OF_FREE 65536

static long load(const char *path, const char *options);

/* Bytes of the longest scenario that is not a trace. */
#define PLAIN_ROOM 65536u

/* Copies, for children have no pack. */
static struct entry plain;
static u8 plain_bytes[PLAIN_ROOM];

static void order(const char *path, const char *what)
{
	long in = sys_open(path, O_RDWR);

	sys_write(in, what, 1);
	sys_close(in);
}

/* A file of /proc in memory. */
static const char *read_proc(const char *path)
{
	/* A line's end before the first line too. */
	static char info[1 << 16] = "\n";
	long in = sys_open(path, 0), len = 1, n;

	do {
		n = sys_read(in, info + len, sizeof(info) - 1 - len);
		len += n > 0 ? n : 0;
	} while (n > 0);
	sys_close(in);
	info[len] = 0;
	return info;
}

/* The sum of the numbers behind a name, wherever it begins a word. */
static long sum_of(const char *info, const char *name)
{
	long sum = 0, value;
	int len = length(name);

	for (; *info; info++) {
		if ((info[0] != '\n' && info[0] != ' ') ||
		    !same(info + 1, name, len))
			continue;
		for (info += 1 + len; *info == ' '; info++)
			;
		for (value = 0; *info >= '0' && *info <= '9'; info++)
			value = value * 10 + *info - '0';
		sum += value;
		info--;
	}
	return sum;
}

struct memory {
	long free, nowhere;
};

/*
 * What is free, and what is neither free nor, by the kernel's own figures,
 * anything: pages of the kernel's allocator that somebody took and did not
 * enter anywhere, as the shadow tables, and pages that are mapped no more
 * and still referred to.
 */
static struct memory memory_now(void)
{
	static const char *const used[] = { "Buffers:", "Cached:", "AnonPages:",
					    "Slab:", "KernelStack:",
					    "PageTables:", "VmallocUsed:",
					    "Percpu:" };
	struct memory now;
	const char *info;
	u32 i;

	/* Page cache first; then counts that each CPU keeps back. */
	order("/proc/sys/vm/drop_caches", "3");
	order("/proc/sys/vm/stat_refresh", "1");
	info = read_proc("/proc/meminfo");
	now.free = sum_of(info, "MemFree:");
	now.nowhere = sum_of(info, "MemTotal:") - now.free;
	for (i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		now.nowhere -= sum_of(info, used[i]);
	/* Lists of each CPU's, in pages. */
	now.nowhere -= 4 * sum_of(read_proc("/proc/zoneinfo"), "count:");
	return now;
}

/* The best of readings until they are good enough, or of some seconds. */
static struct memory memory_settled(long enough)
{
	struct memory best = memory_now(), now;
	long time[2] = { 0, 200 * 1000 * 1000 }, i;

	for (i = 0; i < 25 && best.nowhere > enough; i++) {
		sys3(162, time, 0, 0);
		now = memory_now();
		if (now.free > best.free)
			best.free = now.free;
		if (now.nowhere < best.nowhere)
			best.nowhere = now.nowhere;
	}
	return best;
}

static long open_at(const char *on, u32 at)
{
	struct lgk_memory memory = { { at, at } };
	long file = sys_open(on, O_RDWR);

	if (file >= 0)
		sys_ioctl(file, LGK_MEMORY, &memory);
	return file;
}

static void load_and_unload(const char *path, const char *name)
{
	long i, bad = 0;

	bad += sys_delete_module(name) < 0;
	for (i = 0; i < 100; i++) {
		bad += load(path, "") < 0;
		bad += sys_delete_module(name) < 0;
	}
	bad += load(path, "policy=0") < 0;
	life("loaded and unloaded 100 times", !bad, bad);
}

/* Memory that outlives a client: its frames can be counted before and after. */
static u32 shared_memory(void)
{
	u32 size = 64 * PAGE, i, at;
	long in = sys_memfd_create("killed");

	sys_ftruncate(in, size);
	at = sys_mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, in, 0);
	sys_close(in);
	for (i = 0; i < 64; i++)
		*(volatile u32 *)(at + i * PAGE) = 0;
	settle();
	return at;
}

static u32 half_of(const struct entry *e)
{
	return 80 + e->steps / 2 * STEP;
}

/* References that a guest holds after the first half of its scenario. */
static long held_by(const char *on, u32 at, const struct entry *e,
		    const u8 *bytes)
{
	const char *of = on + 5;
	long file = open_at(on, at), held;

	held = figure(of, "puts") - figure(of, "pins");
	sys_write(file, bytes, half_of(e));
	held += figure(of, "pins") - figure(of, "puts");
	sys_close(file);
	return held;
}

/*
 * A scenario on plain memory that is long enough to be cut in halves, where
 * its guest holds references.
 */
static int find_plain(const u8 *pack, u32 size, const char *on)
{
	u32 at = 0, memory = shared_memory(), found = 0;

	while (at + sizeof(struct entry) <= size && !found) {
		const struct entry *e = (const void *)(pack + at);
		const u8 *bytes = pack + at + sizeof(*e);

		if (!changes_mappings(e, bytes) && e->steps >= 8 && !e->cut &&
		    word_at(bytes, 24) == 64 && e->part == 1 &&
		    e->bytes_len <= PLAIN_ROOM &&
		    held_by(on, memory, e, bytes) > 0) {
			plain = *e;
			memcpy(plain_bytes, bytes, e->bytes_len);
			found = 1;
		}
		at += sizeof(*e) + ((e->bytes_len + 3) & ~3u) +
		      ((e->lines_len + 3) & ~3u) + 8 * e->digests;
	}
	sys_munmap(memory, 64 * PAGE);
	return found;
}

/* A client dies in the middle: with its guest there, or while it writes. */
static void killed_clients(const char *on)
{
	u32 at = shared_memory(), i, round;
	long meter = sys_open(on, O_RDWR), bad = 0, holding = 0;
	const char *of = on + 5;
	long unput = figure(of, "pins") - figure(of, "puts");
	static int before[64];

	settle();
	for (i = 0; i < 64; i++)
		before[i] = sys_ioctl(meter, LGK_REFERENCES, at + i * PAGE);
	for (round = 0; round < 20; round++) {
		long time[2] = { 0, 20 * 1000 * 1000 }, held = unput;
		long child = sys_fork();

		if (!child) {
			u32 head = 80;
			long file = open_at(on, at);

			sys_write(file, plain_bytes, half_of(&plain));
			/* Steps without end: the same write to memory again. */
			for (;;)
				if (round % 2)
					sys_pause();
				else
					sys_write(file, plain_bytes + head, STEP);
		}
		/* However slow this machine is, until its guest holds some. */
		for (i = 0; i < 3000 && held <= unput; i++) {
			sys3(162, time, 0, 0);
			held = figure(of, "pins") - figure(of, "puts");
		}
		holding += held > unput;
		sys_kill(child, SIGKILL);
		sys_wait4(child, 0);
	}
	life("clients killed that held references", holding == 20, holding);
	settle();
	for (i = 0; i < 64; i++)
		bad += before[i] != sys_ioctl(meter, LGK_REFERENCES, at + i * PAGE);
	life("page counts after 20 killed clients", !bad, bad);
	sys_close(meter);
	life("open files after them", figure(of, "open") == 0,
	     figure(of, "open"));
	sys_munmap(at, 64 * PAGE);
}

static void four_clients(const u8 *pack, u32 size, const char *on)
{
	long client[4], i, bad = 0;
	int status;

	sys_madvise(pack, PACK_ROOM, MADV_DOFORK);
	for (i = 0; i < 4; i++) {
		client[i] = sys_fork();
		if (!client[i]) {
			run_on(ANY_CPU);
			crowded = 1;
			failures = 0;
			/* Two and two have the same half of the scenarios. */
			every_second = 1 + i % 2;
			replay(pack, size, on, 1);
			sys_exit(failures != 0 || !passed);
		}
	}
	for (i = 0; i < 4; i++) {
		status = -1;
		sys_wait4(client[i], &status);
		bad += status != 0;
	}
	sys_madvise(pack, PACK_ROOM, MADV_DONTFORK);
	life("four clients at once", !bad, bad);
}

static u32 dice = 12345;

static u32 roll(u32 sides_of_it)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % sides_of_it;
}

/* Anything at all is written: an errno and nothing changed, or a scenario. */
static void malformed_writes(const char *on)
{
	static u8 bytes[70000];
	u32 at = shared_memory(), i, k, len, size = plain.bytes_len;
	long refused = 0, taken = 0, bad = 0, file, n;
	u64 was, is;

	/* Whole scenarios with some bytes changed, each to a fresh file. */
	for (i = 0; i < 2000; i++) {
		len = roll(8) ? size : roll(size + 1);
		memcpy(bytes, plain_bytes, len);
		for (k = roll(4) + 1; k && len; k--)
			bytes[roll(4) ? roll(len) : roll(len < 90 ? len : 90)] =
				roll(256);
		file = open_at(on, at);
		n = sys_write(file, bytes, len);
		if (n < 0)
			refused++;
		else
			taken++;
		if (n > (long)len)
			bad++;
		sys_close(file);
	}
	life("malformed beginnings", refused > 100 && !bad, refused);
	/* Steps that are none, to a guest that lives: it must not change. */
	file = open_at(on, at);
	sys_write(file, plain_bytes, 80 + 4 * STEP);
	fd = file;
	n = read_view(0);
	was = digest(text, n);
	refused = bad = 0;
	for (i = 0; i < 3000; i++) {
		len = roll(3) ? STEP : roll(60000);
		for (k = 0; k < len; k++)
			bytes[k] = roll(3) ? 0 : roll(256);
		/* No verb has this number. */
		bytes[(roll(len / STEP + 1)) * STEP % (len + 1)] = 18 + roll(200);
		n = sys_write(file, bytes, len);
		if (n < 0)
			refused++;
		else if (n > 0)
			bad++;
		if (i % 100 == 0) {
			n = read_view(0);
			is = digest(text, n);
			bad += is != was;
		}
	}
	life("malformed steps change nothing", refused > 2000 && !bad, bad);
	bad = 0;
	bad += sys_write(file, bytes, 65537) >= 0;
	bad += sys_write(file, 0x1000, 480) >= 0;
	bad += sys_write(file, 0xd0000000, 480) >= 0;
	bad += sys_ioctl(file, 0x1234, 0) >= 0;
	bad += sys_ioctl(file, LGK_MEMORY, 0x1000) >= 0;
	n = read_view(0);
	bad += digest(text, n) != was;
	life("bad pointers, sizes and commands", !bad, bad);
	sys_close(file);
	sys_munmap(at, 64 * PAGE);
}

/* Somebody else's hands on an open file, and somebody who is not root. */
static void strangers(const char *on, const char *name)
{
	u32 at = shared_memory();
	long file = open_at(on, at), child, bad;
	int status = -1;

	child = sys_fork();
	if (!child)
		sys_exit(!(sys_write(file, plain_bytes, 80) == -EPERM &&
			   sys_read(file, text, 10) == -EPERM &&
			   sys_ioctl(file, LGK_VIEW, 0) == -EPERM));
	sys_wait4(child, &status);
	life("another process gets EPERM", status == 0, status);
	child = sys_fork();
	if (!child) {
		sys_setuid(65534);
		sys_exit(sys_open(on, O_RDWR) >= 0);
	}
	status = -1;
	sys_wait4(child, &status);
	life("not for others than root", status == 0, status);
	bad = sys3(129, name, 0x800, 0);
	life("no unloading under an open file", bad < 0, bad);
	sys_close(file);
	sys_munmap(at, 64 * PAGE);
}

/* Rounds of the first scenarios leave the memory as it was. */
static void drift(const u8 *pack, u32 size, const char *on)
{
	struct memory before = { 0, 0 }, after;
	int round;

	for (round = 0; round < 3; round++) {
		/* The first one warms what is kept on purpose. */
		if (round == 1)
			before = memory_settled(0);
		four_clients(pack, size, on);
	}
	after = memory_settled(before.nowhere + DRIFT / 4);
	life("KiB more that are nowhere", after.nowhere - before.nowhere < DRIFT,
	     after.nowhere - before.nowhere);
	life("KiB that MemFree fell by",
	     before.free - after.free < DRIFT_OF_FREE, before.free - after.free);
}

static void ledger(const char *on)
{
	const char *of = on + 5;
	long held = figure(of, "pins") - figure(of, "puts") -
		    figure(of, "left_references");
	long tables = figure(of, "allocs") - figure(of, "frees") -
		      figure(of, "left_tables");

	life("references in the ledger", held == 0, held);
	life("tables in the ledger", tables == 0, tables);
	life("files open", figure(of, "open") == 0, figure(of, "open"));
}

static void lives(const char *path, const char *on, const char *name,
		  const u8 *pack, u32 size, u32 few)
{
	device = on;
	if (!find_plain(pack, size, on)) {
		life("a plain scenario", 0, 0);
		return;
	}
	ledger(on);
	load_and_unload(path, name);
	killed_clients(on);
	malformed_writes(on);
	strangers(on, name);
	drift(pack, few, on);
	ledger(on);
}

#endif
