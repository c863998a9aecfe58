/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam between the kernel and the Rust: what an open file holds, the
 * ledger of each guest, and the functions that cross, all by the plain C
 * convention.
 */
#ifndef LGK_GLUE_H
#define LGK_GLUE_H

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/completion.h>
#include <linux/types.h>

/* No frame. */
#define LGK_NONE 0xffffffffu
/* Indices of tables begin here; data frames count from 0. */
#define LGK_TABLE 0x80000000u
/* Most tables and most guest pages of one guest. */
#define LGK_TABLES 2048
#define LGK_PAGES 16384
/* Most bytes in one write. */
#define LGK_WRITE (64 * 1024)

struct lgk_file;

/* The ledger: what one guest holds of the kernel's. */
struct lgk_guest {
	struct lgk_file *file;
	u32 side;
	/* The launcher's address of guest page 0 for this side. */
	unsigned long base;
	u32 pages;
	/* Data frames: number, references of the code under test, the rig's. */
	u32 frames;
	u32 *pfn;
	s32 *refs;
	u8 *watched;
	/* Tables by index; 0 is a free place. */
	u32 table[LGK_TABLES];
	u32 tables;
	/* Chains from a frame's number to its index, frames first. */
	u32 *head;
	u32 *next;
};

/* One open file: at most one scenario, on memory of the opener's. */
struct lgk_file {
	struct mutex lock;
	struct mm_struct *mm;
	void *world;
	u8 *buffer;
	bool begun;
	bool ended;
	bool full_care;
	u32 view;
	/* A host event that a step waits for, and the helper's answer. */
	struct mutex event_lock;
	bool event_wanted;
	u32 event_side, event_kind, event_page;
	struct completion event_asked, event_done;
	struct lgk_guest guest[2];
};

/* What the ledgers did since the module was loaded. */
struct lgk_figures {
	atomic_t open, guests, malformed;
	atomic_t pins, puts, allocs, frees;
	atomic_t refused, left_references, left_tables;
};
extern struct lgk_figures lgk_figures;

/* The ledger's beginning is Rust's call, its end the file's. */
void lgk_release(struct lgk_guest *guest);

/* Puts one address of the port's guest before the machine's own MMU. */
long lgk_probe(struct lgk_file *f, void __user *at);

/* What `lgs_walk` is told of the access, and an answer that is no frame. */
enum lgk_touched { LGK_LOOK, LGK_REACHED, LGK_FAULTED };
#define LGK_DIFFERS 0xfffffffeu

/* Rust, called by the file. */
asmlinkage u32 lgs_world_size(void);
asmlinkage u32 lgs_head(void);
asmlinkage void lgs_make(void *world, struct lgk_guest *port,
			 struct lgk_guest *original, u32 policy);
asmlinkage void lgs_record(void *world);
asmlinkage s32 lgs_take(void *world, u8 *bytes, u32 len, u32 care);
asmlinkage u32 lgs_text(void *world, u32 view, u32 skip, u8 *to, u32 len);
asmlinkage void lgs_close(void *world);
asmlinkage u32 lgs_root(void *world);
asmlinkage u32 lgs_walk(void *world, u32 addr, u32 write, u32 touched);

/* C, called by Rust. */
asmlinkage s32 kg_begin(struct lgk_guest *guest, u32 frames, u32 pages);
asmlinkage const s32 *kg_refs(struct lgk_guest *guest);
asmlinkage u32 kg_own_page(struct lgk_guest *guest, u32 frame);
asmlinkage u32 kg_watch(struct lgk_guest *guest, u32 page, u32 frame);
asmlinkage u32 kg_reachable(struct lgk_guest *guest, u32 page, u32 write);
asmlinkage u32 kg_find(struct lgk_guest *guest, u32 pfn);
asmlinkage u32 kg_pfn(struct lgk_guest *guest, u32 frame);
asmlinkage u32 kg_get_zeroed_page(struct lgk_guest *guest);
asmlinkage s32 kg_free_page(struct lgk_guest *guest, u32 pa);
asmlinkage u32 kg_tables_held(struct lgk_guest *guest);
asmlinkage void *kg_table(struct lgk_guest *guest, u32 pfn);
asmlinkage u32 kg_get_user_pages_fast(struct lgk_guest *guest, u32 page,
				      u32 write, u32 fresh);
asmlinkage s32 kg_get_page(struct lgk_guest *guest, u32 frame);
asmlinkage s32 kg_put_page(struct lgk_guest *guest, u32 frame);
asmlinkage u32 kg_copy_from_user(struct lgk_guest *guest, void *to, u32 offset,
				 u32 len);
asmlinkage u32 kg_copy_to_user(struct lgk_guest *guest, u32 offset,
			       const void *from, u32 len);
asmlinkage u32 kg_load(struct lgk_guest *guest, u32 frame, u32 word);
asmlinkage void kg_store(struct lgk_guest *guest, u32 frame, u32 word,
			 u32 value);
asmlinkage s32 kg_read(struct lgk_guest *guest, u32 frame, void *to);
asmlinkage s32 kg_event(struct lgk_guest *guest, u32 kind, u32 page);
asmlinkage s32 kg_pause(void);
asmlinkage void kg_panic(void) __noreturn;

#endif
