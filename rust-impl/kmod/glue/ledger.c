// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ledger of one guest: which frames it was given and how often, which
 * tables it allocated.  A put or a free that the ledger does not hold is
 * refused here and never reaches the kernel.
 */
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "glue.h"

#define HEADS 4096

static u32 *chain(struct lgk_guest *guest, u32 pfn)
{
	return &guest->head[pfn % HEADS];
}

/* Chains hold an index plus one: a data frame's, or a table's behind them. */
static u32 place_of(const struct lgk_guest *guest, u32 index)
{
	if (index >= LGK_TABLE)
		return guest->frames + (index - LGK_TABLE) + 1;
	return index + 1;
}

static u32 pfn_of(const struct lgk_guest *guest, u32 place)
{
	if (place > guest->frames)
		return guest->table[place - guest->frames - 1];
	return guest->pfn[place - 1];
}

static void enter(struct lgk_guest *guest, u32 index, u32 pfn)
{
	u32 place = place_of(guest, index);
	u32 *first = chain(guest, pfn);

	guest->next[place - 1] = *first;
	*first = place;
}

static void strike(struct lgk_guest *guest, u32 index, u32 pfn)
{
	u32 place = place_of(guest, index);
	u32 *at = chain(guest, pfn);

	while (*at && *at != place)
		at = &guest->next[*at - 1];
	if (*at)
		*at = guest->next[place - 1];
}

asmlinkage u32 kg_find(struct lgk_guest *guest, u32 pfn)
{
	u32 place;

	if (!guest->head || !pfn)
		return LGK_NONE;
	for (place = *chain(guest, pfn); place; place = guest->next[place - 1])
		if (pfn_of(guest, place) == pfn)
			return place > guest->frames ?
				LGK_TABLE + (place - guest->frames - 1) :
				place - 1;
	return LGK_NONE;
}

static bool is_data(const struct lgk_guest *guest, u32 frame)
{
	return frame < guest->frames && guest->pfn[frame];
}

asmlinkage s32 kg_begin(struct lgk_guest *guest, u32 frames, u32 pages)
{
	if (guest->head || frames > 2 * LGK_PAGES || pages > LGK_PAGES)
		return -EINVAL;
	if (guest->base >= TASK_SIZE ||
	    ((unsigned long)pages << PAGE_SHIFT) > TASK_SIZE - guest->base)
		return -EINVAL;
	guest->head = kvcalloc(HEADS, sizeof(u32), GFP_KERNEL_ACCOUNT);
	guest->next = kvcalloc(frames + LGK_TABLES, sizeof(u32),
			       GFP_KERNEL_ACCOUNT);
	guest->pfn = kvcalloc(frames, sizeof(u32), GFP_KERNEL_ACCOUNT);
	guest->refs = kvcalloc(frames, sizeof(s32), GFP_KERNEL_ACCOUNT);
	guest->watched = kvcalloc(frames, sizeof(u8), GFP_KERNEL_ACCOUNT);
	if (!guest->head || !guest->next || !guest->pfn || !guest->refs ||
	    !guest->watched) {
		lgk_release(guest);
		return -ENOMEM;
	}
	guest->frames = frames;
	guest->pages = pages;
	atomic_inc(&lgk_figures.guests);
	return 0;
}

/* Gives everything back, whatever the guest did; figures tell of leftovers. */
void lgk_release(struct lgk_guest *guest)
{
	u32 i;

	for (i = 0; i < guest->frames; i++) {
		struct page *page = pfn_to_page(guest->pfn[i]);

		if (!guest->pfn[i])
			continue;
		atomic_add(guest->refs[i], &lgk_figures.left_references);
		for (; guest->refs[i] > 0; guest->refs[i]--)
			put_page(page);
		if (guest->watched[i])
			put_page(page);
		if (!(i % 1024))
			cond_resched();
	}
	for (i = 0; i < LGK_TABLES; i++)
		if (guest->table[i]) {
			free_page((unsigned long)pfn_to_kaddr(guest->table[i]));
			guest->table[i] = 0;
		}
	atomic_add(guest->tables, &lgk_figures.left_tables);
	kvfree(guest->head);
	kvfree(guest->next);
	kvfree(guest->pfn);
	kvfree(guest->refs);
	kvfree(guest->watched);
	guest->head = guest->next = guest->pfn = NULL;
	guest->refs = NULL;
	guest->watched = NULL;
	guest->frames = guest->pages = guest->tables = 0;
}

asmlinkage const s32 *kg_refs(struct lgk_guest *guest)
{
	return guest->refs;
}

asmlinkage u32 kg_pfn(struct lgk_guest *guest, u32 frame)
{
	return is_data(guest, frame) ? guest->pfn[frame] : LGK_NONE;
}

static u32 keep(struct lgk_guest *guest, u32 frame, struct page *page)
{
	guest->pfn[frame] = page_to_pfn(page);
	guest->watched[frame] = 1;
	enter(guest, frame, guest->pfn[frame]);
	return frame;
}

asmlinkage u32 kg_own_page(struct lgk_guest *guest, u32 frame)
{
	struct page *page;

	if (frame >= guest->frames || guest->pfn[frame])
		return LGK_NONE;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return LGK_NONE;
	keep(guest, frame, page);
	return guest->pfn[frame];
}

/* One page of the launcher's with a reference, or NULL. */
static struct page *pin(struct lgk_guest *guest, u32 page, u32 write)
{
	unsigned long addr = guest->base + ((unsigned long)page << PAGE_SHIFT);
	struct page *pinned;

	if (page >= guest->pages ||
	    get_user_pages_fast(addr, 1, write ? FOLL_WRITE : 0, &pinned) != 1)
		return NULL;
	return pinned;
}

asmlinkage u32 kg_watch(struct lgk_guest *guest, u32 page, u32 frame)
{
	struct page *pinned = pin(guest, page, 0);
	u32 known;

	if (!pinned)
		return LGK_NONE;
	known = kg_find(guest, page_to_pfn(pinned));
	if (known != LGK_NONE || frame >= guest->frames || guest->pfn[frame]) {
		put_page(pinned);
		return known;
	}
	return keep(guest, frame, pinned);
}

asmlinkage u32 kg_reachable(struct lgk_guest *guest, u32 page, u32 write)
{
	struct page *pinned = pin(guest, page, write);

	if (pinned)
		put_page(pinned);
	return !!pinned;
}

asmlinkage u32 kg_get_zeroed_page(struct lgk_guest *guest)
{
	struct page *page;
	u32 i;

	for (i = 0; i < LGK_TABLES && guest->table[i]; i++)
		;
	if (i == LGK_TABLES)
		return 0;
	page = virt_to_page((void *)get_zeroed_page(GFP_KERNEL_ACCOUNT));
	if (page == virt_to_page(NULL))
		return 0;
	guest->table[i] = page_to_pfn(page);
	guest->tables++;
	enter(guest, LGK_TABLE + i, guest->table[i]);
	atomic_inc(&lgk_figures.allocs);
	return page_to_pfn(page) << PAGE_SHIFT;
}

asmlinkage s32 kg_free_page(struct lgk_guest *guest, u32 pa)
{
	u32 pfn = pa >> PAGE_SHIFT;
	u32 index = kg_find(guest, pfn);

	if ((pa & ~PAGE_MASK) || index == LGK_NONE || index < LGK_TABLE) {
		atomic_inc(&lgk_figures.refused);
		return -1;
	}
	strike(guest, index, pfn);
	guest->table[index - LGK_TABLE] = 0;
	guest->tables--;
	free_page((unsigned long)pfn_to_kaddr(pfn));
	atomic_inc(&lgk_figures.frees);
	return 0;
}

asmlinkage u32 kg_tables_held(struct lgk_guest *guest)
{
	return guest->tables;
}

asmlinkage void *kg_table(struct lgk_guest *guest, u32 pfn)
{
	u32 index = kg_find(guest, pfn);

	if (index == LGK_NONE || index < LGK_TABLE)
		return NULL;
	return pfn_to_kaddr(pfn);
}

asmlinkage u32 kg_get_user_pages_fast(struct lgk_guest *guest, u32 page,
				      u32 write, u32 fresh)
{
	struct page *pinned = pin(guest, page, write);
	u32 frame;

	if (!pinned)
		return LGK_NONE;
	frame = kg_find(guest, page_to_pfn(pinned));
	if (frame == LGK_NONE && fresh < guest->frames && !guest->pfn[fresh]) {
		/* A copy that this pin made: the rig holds it as well. */
		get_page(pinned);
		frame = keep(guest, fresh, pinned);
	}
	if (!is_data(guest, frame)) {
		put_page(pinned);
		return LGK_NONE;
	}
	guest->refs[frame]++;
	atomic_inc(&lgk_figures.pins);
	return frame;
}

asmlinkage s32 kg_get_page(struct lgk_guest *guest, u32 frame)
{
	if (!is_data(guest, frame)) {
		atomic_inc(&lgk_figures.refused);
		return -1;
	}
	get_page(pfn_to_page(guest->pfn[frame]));
	guest->refs[frame]++;
	atomic_inc(&lgk_figures.pins);
	return 0;
}

asmlinkage s32 kg_put_page(struct lgk_guest *guest, u32 frame)
{
	if (!is_data(guest, frame) || guest->refs[frame] <= 0) {
		atomic_inc(&lgk_figures.refused);
		return -1;
	}
	guest->refs[frame]--;
	put_page(pfn_to_page(guest->pfn[frame]));
	atomic_inc(&lgk_figures.puts);
	return 0;
}

/* Bytes of a stretch that lie in guest memory. */
static u32 inside(const struct lgk_guest *guest, u32 offset, u32 len)
{
	u32 size = guest->pages << PAGE_SHIFT;

	return offset >= size ? 0 : min(len, size - offset);
}

asmlinkage u32 kg_copy_from_user(struct lgk_guest *guest, void *to, u32 offset,
				 u32 len)
{
	u32 part = inside(guest, offset, len);

	return len - part +
	       copy_from_user(to, (void __user *)(guest->base + offset), part);
}

asmlinkage u32 kg_copy_to_user(struct lgk_guest *guest, u32 offset,
			       const void *from, u32 len)
{
	u32 part = inside(guest, offset, len);

	return len - part +
	       copy_to_user((void __user *)(guest->base + offset), from, part);
}

asmlinkage u32 kg_load(struct lgk_guest *guest, u32 frame, u32 word)
{
	u32 *words, value;

	if (!is_data(guest, frame))
		return 0;
	words = kmap_local_page(pfn_to_page(guest->pfn[frame]));
	value = words[word % 1024];
	kunmap_local(words);
	return value;
}

asmlinkage void kg_store(struct lgk_guest *guest, u32 frame, u32 word,
			 u32 value)
{
	struct page *page;
	u32 *words;

	if (!is_data(guest, frame))
		return;
	page = pfn_to_page(guest->pfn[frame]);
	words = kmap_local_page(page);
	words[word % 1024] = value;
	kunmap_local(words);
	set_page_dirty_lock(page);
}

asmlinkage s32 kg_read(struct lgk_guest *guest, u32 frame, void *to)
{
	void *from;

	if (!is_data(guest, frame))
		return -1;
	from = kmap_local_page(pfn_to_page(guest->pfn[frame]));
	memcpy(to, from, PAGE_SIZE);
	kunmap_local(from);
	return 0;
}
