/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory of a scenario, as the launcher's process has it: private,
 * populated, without huge pages; pages that share a frame lie on a file in
 * memory.  Host events are real ones: munmap, mprotect, a live forked child.
 */
#ifndef BOOT_MEMORY_H
#define BOOT_MEMORY_H

#include "sys.h"

#define PAGE 4096u
#define MOST_PAGES 16384u
#define MOST_CHILDREN 512
#define SIDES 2

enum mapping { ABSENT = 0, READ_ONLY = 1, WRITABLE = 2, COPY_ON_WRITE = 3 };

struct place {
	/* The page whose frame this one starts on. */
	u32 frame;
	u8 mapping;
	/* On the file, there with a private mapping. */
	u8 on_file, is_private;
	u8 read_only;
};

static struct place places[SIDES][MOST_PAGES];
static u32 base[SIDES];
static int file[SIDES];
static u32 pages_of_guest, sides;
static volatile long children[MOST_CHILDREN];
static volatile u32 child_count;

static u32 address(u32 side, u32 page)
{
	return base[side] + page * PAGE;
}

static void die(const char *why, long code)
{
	put("DIE ");
	put(why);
	put(" ");
	put_number(code);
	put("\n");
	sys_reboot();
	for (;;)
		;
}

/* A child that lives on with the pages that are to be shared, and does nothing. */
static void share_with_child(void)
{
	long child = sys_fork();

	if (child < 0 || child_count == MOST_CHILDREN)
		die("fork", child);
	if (!child)
		for (;;)
			sys_pause();
	children[child_count++] = child;
}

static int protection(const struct place *place)
{
	return place->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
}

static void map_on_file(u32 side, u32 page, int flags)
{
	struct place *place = &places[side][page];
	u32 at = address(side, page);

	if (sys_mmap(at, PAGE, protection(place), flags | MAP_FIXED, file[side],
		     place->frame) != (long)at)
		die("mmap of a file", page);
	place->is_private = flags == MAP_PRIVATE;
	/* So that the page is there, and not only may be. */
	(void)*(volatile u32 *)at;
}

static void share_page(u32 side, u32 page)
{
	struct place *place = &places[side][page];
	u32 at = address(side, page);

	if (place->mapping == ABSENT)
		return;
	if (place->on_file && !place->is_private)
		return map_on_file(side, page, MAP_PRIVATE);
	sys_madvise(at, PAGE, MADV_DOFORK);
	share_with_child();
	sys_madvise(at, PAGE, MADV_DONTFORK);
}

/* A host event: 0 unmap, 1 protect, 2 unprotect, 3 share. */
static void host_event(u32 side, u32 kind, u32 page)
{
	struct place *place;
	long done = 0;

	if (side >= sides || page >= pages_of_guest)
		die("a host event of no page", page);
	place = &places[side][page];
	switch (kind) {
	case 0:
		done = sys_munmap(address(side, page), PAGE);
		place->mapping = ABSENT;
		break;
	case 1:
	case 2:
		place->read_only = kind == 1;
		if (place->mapping != ABSENT)
			done = sys_mprotect(address(side, page), PAGE,
					    protection(place));
		break;
	case 3:
		share_page(side, page);
		break;
	}
	if (done < 0)
		die("host event", done);
}

static void memory_of_side(u32 side)
{
	/* A page without access lies behind. */
	u32 size = pages_of_guest * PAGE, page;
	int forks = 0;

	base[side] = sys_mmap(0, size + PAGE, 0, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	if (base[side] > 0xfffff000u)
		die("mmap", base[side]);
	if (sys_mprotect(base[side], size, PROT_READ | PROT_WRITE) < 0)
		die("mprotect", size);
	sys_madvise(base[side], size, MADV_NOHUGEPAGE);
	sys_madvise(base[side], size, MADV_DONTFORK);
	file[side] = -1;
	for (page = 0; page < pages_of_guest; page++)
		if (places[side][page].on_file && file[side] < 0) {
			file[side] = sys_memfd_create("guest");
			if (file[side] < 0 ||
			    sys_ftruncate(file[side], size) < 0)
				die("memfd", file[side]);
		}
	for (page = 0; page < pages_of_guest; page++) {
		struct place *place = &places[side][page];
		u32 at = address(side, page);

		if (place->mapping == ABSENT) {
			sys_munmap(at, PAGE);
			continue;
		}
		if (place->on_file) {
			place->read_only = 0;
			map_on_file(side, page, MAP_SHARED);
			*(volatile u32 *)at = 0;
			place->read_only = place->mapping == READ_ONLY;
			if (place->mapping == COPY_ON_WRITE)
				map_on_file(side, page, MAP_PRIVATE);
		} else {
			*(volatile u32 *)at = 0;
			if (place->mapping == COPY_ON_WRITE) {
				sys_madvise(at, PAGE, MADV_DOFORK);
				forks = 1;
			}
		}
		if (place->mapping == READ_ONLY) {
			place->read_only = 1;
			sys_mprotect(at, PAGE, PROT_READ);
		}
	}
	if (forks) {
		share_with_child();
		sys_madvise(base[side], size, MADV_DONTFORK);
	}
}

static u32 word_at(const u8 *bytes, u32 at)
{
	return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
	       (u32)bytes[at + 3] << 24;
}

/* What a scenario's machine and page records say of each page. */
static void places_of(const u8 *scenario, u32 side)
{
	u32 records = scenario[6] | scenario[7] << 8, i, page;

	for (page = 0; page < pages_of_guest; page++)
		places[side][page] = (struct place){ .frame = page,
						     .mapping = WRITABLE };
	for (i = 0; i < records; i++) {
		const u8 *record = scenario + 80 + 16 * i;
		u32 first = word_at(record, 0), count = word_at(record, 4);

		for (page = first; page < first + count; page++) {
			struct place *place = &places[side][page];

			place->mapping = record[12];
			place->frame = record[13] ? word_at(record, 8) : page;
		}
	}
	for (page = 0; page < pages_of_guest; page++)
		if (places[side][page].frame != page) {
			places[side][page].on_file = 1;
			places[side][places[side][page].frame].on_file = 1;
		}
	/* The page that lends its frame may itself lie elsewhere. */
}

static void make_memory(const u8 *scenario, u32 count)
{
	u32 side;

	sides = count;
	pages_of_guest = word_at(scenario, 16 + 8);
	if (pages_of_guest > MOST_PAGES)
		pages_of_guest = MOST_PAGES;
	for (side = 0; side < sides; side++) {
		places_of(scenario, side);
		memory_of_side(side);
	}
}

static void end_children(void)
{
	u32 i;

	for (i = 0; i < child_count; i++) {
		sys_kill(children[i], SIGKILL);
		sys_wait4(children[i], 0);
	}
	child_count = 0;
}

static void drop_memory(void)
{
	u32 side;

	for (side = 0; side < sides; side++) {
		sys_munmap(base[side], (pages_of_guest + 1) * PAGE);
		if (file[side] >= 0)
			sys_close(file[side]);
	}
}

#endif
