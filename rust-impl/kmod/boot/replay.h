/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replays the pack of scenarios that boot_pack wrote, each on an open file of
 * its own, and holds what comes out to what is recorded.
 */
#ifndef BOOT_REPLAY_H
#define BOOT_REPLAY_H

#include "memory.h"
#include "../glue/ioctl.h"

struct entry {
	char magic[4];
	char name[120];
	u32 steps, cut, part;
	u32 left_references, left_tables;
	u32 bytes_len, lines_len, digests, between;
};

#define STEP 48u
/* Verbs, as the binary form numbers them. */
#define VERB_DEMAND_PAGE 3
#define VERB_ACCESS 4
#define VERB_DESTROY 14
#define O_RDWR 2

static const char *device;
/* What runs, as the lines of the console name it. */
static const char *subject;
static int fd;
static int helper_runs;
static volatile int helper_gone;
static u32 helper_stack[4096];
static u8 text[1 << 20];
static u32 failures, passed;
/* A boot for an alarm, that ends with the first failure. */
static int until_first;
/* Other clients are at work: figures are not ours alone, and the console is not ours. */
static int crowded;
/* 0 for all scenarios, 1 for the even ones, 2 for the odd ones. */
static u32 every_second;

static int at_end(void)
{
	return until_first && failures;
}

/* Does what steps ask for in their middle. */
static void helper(void)
{
	struct lgk_event event;

	run_on(ANY_CPU);
	for (;;) {
		if (sys_ioctl(fd, LGK_EVENT_WAIT, &event) < 0)
			continue;
		if (event.kind == LGK_NO_EVENT)
			break;
		host_event(event.side, event.kind, event.page);
		sys_ioctl(fd, LGK_EVENT_DONE, 0);
	}
	helper_gone = 1;
}

/* Reads a view to its end: its length. */
static u32 read_view(u32 view)
{
	u32 len = 0;
	long n;

	sys_ioctl(fd, LGK_VIEW, view);
	do {
		n = sys_read(fd, text + len, sizeof(text) - len);
		if (n > 0)
			len += n;
	} while (n > 0);
	return len;
}

/* The digest of a side's whole observation, which the module makes. */
static u64 read_digest(u32 side)
{
	u32 len = read_view(5 + side), i;
	u64 sum = 0;

	for (i = 0; i < 16 && i < len; i++)
		sum = sum << 4 | (text[i] <= '9' ? text[i] - '0' :
						   text[i] - 'a' + 10);
	return sum;
}

static u64 digest(const u8 *bytes, u32 n)
{
	u64 sum = 0xcbf29ce484222325ull;
	u32 i;

	for (i = 0; i < n; i++)
		sum = (sum ^ bytes[i]) * 0x100000001b3ull;
	return sum;
}

/* A figure of the module's, by name. */
static long figure(const char *module, const char *name)
{
	static char path[128], figures[4096];
	long value = -1, n, at = 0, in;
	u32 i = 0;
	const char *part;

	for (part = "/sys/kernel/debug/"; *part; part++)
		path[i++] = *part;
	for (part = module; *part; part++)
		path[i++] = *part;
	for (part = "/figures"; *part; part++)
		path[i++] = *part;
	path[i] = 0;
	in = sys_open(path, 0);
	if (in < 0)
		return -1;
	n = sys_read(in, figures, sizeof(figures));
	sys_close(in);
	while (at < n) {
		long end = at;

		while (end < n && figures[end] != '\n')
			end++;
		if (same(figures + at, name, length(name)) &&
		    figures[at + length(name)] == ' ') {
			value = 0;
			for (at += length(name) + 1; at < end; at++)
				value = value * 10 + figures[at] - '0';
			break;
		}
		at = end + 1;
	}
	return value;
}

static void life(const char *what, int good, long number)
{
	put("LIFE ");
	put(what);
	put(good ? " ok " : " FAIL ");
	put_number(number);
	put("\n");
	if (good)
		passed++;
	else
		failures++;
}

static const char *fault;
static u32 fault_at, steps_done;

static void fail(const char *what, u32 at)
{
	if (!fault) {
		fault = what;
		fault_at = at;
	}
}

/* The line in which a text parts from what it should be. */
static void show_lines(const char *of, const u8 *got, u32 got_len,
		       const u8 *want, u32 want_len)
{
	u32 i = 0, begin = 0, end;

	while (i < got_len && i < want_len && got[i] == want[i]) {
		if (got[i] == '\n')
			begin = i + 1;
		i++;
	}
	for (end = begin; end < want_len && want[end] != '\n'; end++)
		;
	put("  recorded ");
	put_bytes((const char *)want + begin, end - begin);
	for (end = begin; end < got_len && got[end] != '\n'; end++)
		;
	put("\n  ");
	put(of);
	put(" ");
	put_bytes((const char *)got + begin, end - begin);
	put("\n");
}

static u8 lines[SIDES][1 << 21];
static u32 lines_len[SIDES];

static void read_lines(u32 side)
{
	long n;

	sys_ioctl(fd, LGK_VIEW, 3 + side);
	do {
		n = sys_read(fd, lines[side] + lines_len[side],
			     sizeof(lines[side]) - lines_len[side]);
		if (n > 0)
			lines_len[side] += n;
	} while (n > 0);
}

/* Pins as the kernel counts them, for each page of one side. */
static int references[SIDES][MOST_PAGES];

/* Pages just touched may be held by a list of this CPU's: push them out. */
static void settle(void)
{
	u32 n = 64, i, at = sys_mmap(0, n * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (i = 0; i < n; i++)
		*(volatile u32 *)(at + i * PAGE) = 1;
	sys_munmap(at, n * PAGE);
}

static int count_page(int meter, u32 side, u32 page)
{
	return sys_ioctl(meter, LGK_REFERENCES, address(side, page));
}

static void count_references(int meter, int first, u32 step_events)
{
	u32 side, page, again;

	/* Another CPU's lists cannot be pushed out from here. */
	for (side = 0; side < sides && !crowded; side++)
		for (page = 0; page < pages_of_guest; page++) {
			int count = count_page(meter, side, page);

			if (first) {
				references[side][page] = count;
				continue;
			}
			/* Who looks at a page for a moment holds it; what is left behind stays. */
			for (again = 0; again < 5 && !step_events && !fault &&
					count != references[side][page]; again++) {
				settle();
				count = count_page(meter, side, page);
			}
			if (!step_events && count != references[side][page])
				fail("page count after the client", page);
		}
}

/* Writes part of the scenario; a full house of lines makes it come in pieces. */
static int write_part(const u8 *bytes, u32 len, int recorded)
{
	while (len) {
		long n = sys_write(fd, bytes, len);
		u32 side;

		if (n < 0) {
			fail("write", n);
			return 0;
		}
		if (recorded)
			for (side = 0; side < sides; side++)
				read_lines(side);
		if (!n && !recorded) {
			fail("a write of nothing", steps_done);
			return 0;
		}
		bytes += n;
		len -= n;
	}
	return 1;
}

/* The scenario changes the launcher's mappings: frames are not what they were. */
static u32 changes_mappings(const struct entry *e, const u8 *scenario)
{
	u32 records = scenario[6] | scenario[7] << 8, i;
	const u8 *steps = scenario + 80 + 16 * records;

	if (records)
		return 1;
	for (i = 0; i < e->steps; i++)
		if ((steps[i * STEP] >= 10 && steps[i * STEP] <= 13) ||
		    (steps[i * STEP + 7] && steps[i * STEP + 28]))
			return 1;
	return 0;
}

static void run_steps(const struct entry *e, const u8 *scenario, int recorded,
		      const u64 *digests)
{
	u32 records = scenario[6] | scenario[7] << 8;
	u32 head = 80 + 16 * records, i, side, checked = 0;
	const u8 *steps = scenario + head;

	if (!write_part(scenario, head, recorded))
		return;
	for (i = 0; i < e->steps && !fault; i += e->part) {
		u32 n = e->steps - i < e->part ? e->steps - i : e->part;
		const u8 *step = steps + i * STEP;

		steps_done = i;
		if (e->part == 1 && step[0] >= 10 && step[0] <= 13)
			for (side = 0; side < sides; side++)
				host_event(side, step[0] - 10, word_at(step, 8));
		if (!write_part(step, n * STEP, recorded))
			return;
		if (!recorded && ((i + n) % e->between == 0 || i + n == e->steps)) {
			for (side = 0; side < sides; side++) {
				if (read_digest(side) != digests[checked])
					fail("observation", i + n);
			}
			checked++;
		}
	}
	if (!recorded && !fault && checked != e->digests)
		fail("digests that were compared", checked);
}

static void run_entry(const struct entry *e, const u8 *scenario,
		      const u8 *want, const u64 *digests, u32 count)
{
	int recorded = e->lines_len != 0;
	long refused = figure(device + 5, "refused");
	long references_left = figure(device + 5, "left_references");
	long tables_left = figure(device + 5, "left_tables");
	long begun = now();
	struct lgk_memory memory;
	u32 changed = changes_mappings(e, scenario), len, side;
	int meter;

	fault = 0;
	make_memory(scenario, count);
	settle();
	fd = sys_open(device, O_RDWR);
	meter = sys_open(device, O_RDWR);
	if (fd < 0 || meter < 0)
		die("open", fd);
	count_references(meter, 1, changed);
	memory.base[0] = base[0];
	memory.base[1] = count > 1 ? base[1] : base[0];
	if (sys_ioctl(fd, LGK_MEMORY, &memory) < 0)
		fail("where memory is", 0);
	sys_ioctl(fd, LGK_CARE, recorded);
	if (recorded)
		sys_ioctl(fd, LGK_RECORD, 0);
	helper_gone = 0;
	helper_runs = changed;
	if (helper_runs)
		start_thread(helper, helper_stack + 4096);
	for (side = 0; side < SIDES; side++)
		lines_len[side] = 0;
	run_steps(e, scenario, recorded, digests);
	len = read_view(2);
	for (u32 i = 0; i + 6 < len; i++)
		if (same(text + i, "differ", 6) || same(text + i, "broken", 6) ||
		    same(text + i, "lines ", 6))
			fail("the sides or the client's memory", 0);
	for (side = 0; recorded && side < sides; side++)
		if (lines_len[side] != e->lines_len ||
		    !same(lines[side], want, e->lines_len))
			fail(side ? "lines of the original" :
				    "lines of the port", 0);
	if (helper_runs) {
		sys_ioctl(fd, LGK_EVENT_DONE, 1);
		while (!helper_gone)
			sys_sched_yield();
	}
	end_children();
	sys_close(fd);
	if (!e->cut && !crowded) {
		if (figure(device + 5, "refused") != refused)
			fail("puts or frees that the ledger refused", 0);
		if (figure(device + 5, "left_references") - references_left !=
		    (long)(e->left_references * sides))
			fail("references left", 0);
		if (figure(device + 5, "left_tables") - tables_left !=
		    (long)(e->left_tables * sides))
			fail("tables left", 0);
	}
	settle();
	count_references(meter, 0, changed);
	sys_close(meter);
	drop_memory();
	if (crowded) {
		if (fault) {
			put("CROWD ");
			put(e->name);
			put(" ");
			put(fault);
			put("\n");
		}
		failures += !!fault;
		passed += !fault;
		return;
	}
	put("CASE ");
	put(subject);
	put(" ");
	put(e->name);
	put(fault ? " FAIL " : " ok ");
	put_number(now() - begun);
	put(" ms, ");
	put_number(e->steps);
	put(" steps");
	if (e->cut == 1)
		put(", cut before a crash of the host");
	if (e->cut == 2)
		put(", cut before references stay behind");
	if (fault) {
		put(": ");
		put(fault);
		put(" ");
		put_number(fault_at);
	}
	put("\n");
	if (fault) {
		failures++;
		put_bytes((char *)text, len);
		for (side = 0; recorded && side < sides; side++)
			if (lines_len[side] != e->lines_len ||
			    !same(lines[side], want, e->lines_len))
				show_lines(side ? "original" : "port",
					   lines[side], lines_len[side], want,
					   e->lines_len);
	} else {
		passed++;
	}
}

/* All scenarios of the pack, on a module's device, with so many sides. */
static void replay(const u8 *pack, u32 size, const char *on, u32 count)
{
	u32 at = 0, n = 0;

	device = on;
	while (at + sizeof(struct entry) <= size && !at_end()) {
		const struct entry *e = (const void *)(pack + at);
		const u8 *scenario = pack + at + sizeof(*e);
		const u8 *want = scenario + ((e->bytes_len + 3) & ~3u);
		const u64 *digests =
			(const void *)(want + ((e->lines_len + 3) & ~3u));

		if (!same(e->magic, "LGBP", 4))
			die("the pack", at);
		if (!every_second || n++ % 2 == every_second - 1)
			run_entry(e, scenario, want, digests, count);
		at = (const u8 *)(digests + e->digests) - pack;
	}
}

#endif
