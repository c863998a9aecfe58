/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shadow tables before this machine's own MMU: scenarios are run up to their
 * guest's end, and then the addresses that they speak of are touched, with
 * those tables in CR3, and the pages beside them.
 */
#ifndef BOOT_PROBE_H
#define BOOT_PROBE_H

#include "replay.h"

/* Of each; the corpora give many more. */
#define LEAST_PROBES 100

static u32 probed[6];
static const char *probed_in;

static void probe(u32 addr, u32 write)
{
	struct lgk_probe probe = { addr & ~3u, write, addr ^ 0x5a5a5a5a, 0 };
	long done = sys_ioctl(fd, LGK_PROBE, &probe);

	/* No guest, for the scenario could not begin one. */
	if (done < 0)
		return;
	probed[probe.verdict % 6]++;
	if (probe.verdict >= LGK_PROBE_REACHES) {
		put("PROBE ");
		put(probed_in);
		put(" ");
		put_number(addr);
		put(write ? " write" : " read");
		put(probe.verdict == LGK_PROBE_WORD ?
			    ": another word\n" :
		    probe.verdict == LGK_PROBE_FAULTS ?
			    ": a fault, and mapped for the walker\n" :
			    ": reached, and not as the walker says\n");
	}
}

/* What a step's first argument names: reads, then a write, which changes more. */
static void probe_around(u32 addr)
{
	if (addr >= 0xbffff000u)
		return;
	probe(addr, 0);
	probe(addr ^ PAGE, 0);
	probe(addr, 1);
}

static void probes_of(const struct entry *e, const u8 *scenario, const char *on)
{
	u32 head = 80, n = e->steps, i;
	const u8 *steps = scenario + head;
	struct lgk_memory memory;

	probed_in = e->name;
	/* Without the guest's end. */
	if (n && steps[(n - 1) * STEP] == VERB_DESTROY)
		n--;
	make_memory(scenario, 1);
	fd = sys_open(on, O_RDWR);
	memory.base[0] = memory.base[1] = base[0];
	if (fd < 0 || sys_ioctl(fd, LGK_MEMORY, &memory) < 0)
		die("open", fd);
	if (sys_write(fd, scenario, head + n * STEP) == head + n * STEP)
		for (i = 0; i < n; i++)
			if (steps[i * STEP] == VERB_DEMAND_PAGE ||
			    steps[i * STEP] == VERB_ACCESS)
				probe_around(word_at(steps + i * STEP, 8));
	sys_close(fd);
	drop_memory();
}

static void probes(const u8 *pack, u32 size, const char *on)
{
	u32 at = 0;

	memset(probed, 0, sizeof(probed));
	while (at + sizeof(struct entry) <= size) {
		const struct entry *e = (const void *)(pack + at);
		const u8 *scenario = pack + at + sizeof(*e);

		if (e->part == 1 && !changes_mappings(e, scenario))
			probes_of(e, scenario, on);
		at += sizeof(*e) + ((e->bytes_len + 3) & ~3u) +
		      ((e->lines_len + 3) & ~3u) + 8 * e->digests;
	}
	life("touched with its tables in CR3: mapped, as the walker says",
	     probed[LGK_PROBE_MAPPED] >= LEAST_PROBES, probed[LGK_PROBE_MAPPED]);
	life("touched with its tables in CR3: a fault, as the walker says",
	     probed[LGK_PROBE_FAULT] >= LEAST_PROBES, probed[LGK_PROBE_FAULT]);
	life("not touched, for an entry has reserved bits", 1,
	     probed[LGK_PROBE_LEFT_OUT]);
	life("touched, and the walker says otherwise",
	     !probed[LGK_PROBE_REACHES] && !probed[LGK_PROBE_FAULTS] &&
		     !probed[LGK_PROBE_WORD],
	     probed[LGK_PROBE_REACHES] + probed[LGK_PROBE_FAULTS] +
		     probed[LGK_PROBE_WORD]);
}

#endif
