/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the device and its clients both know, beside the scenario's format. */
#ifndef LGK_IOCTL_H
#define LGK_IOCTL_H

/* Guest page 0 of each side: the port's, and in the paired module the original's. */
struct lgk_memory {
	unsigned int base[2];
};

/* A host event in the middle of a step. */
struct lgk_event {
	unsigned int side;
	/* 0 unmap, 1 protect, 2 unprotect, 3 share; or that none will come. */
	unsigned int kind;
	unsigned int page;
};
#define LGK_NO_EVENT 0xffffffffu

/* Says where guest memory is; before the first write. */
#define LGK_MEMORY 0x40084c01
/*
 * Chooses what is read: 0 the port's observation, 1 the original's, 2 how far
 * the scenario is; 3 the lines that were recorded of the port, 4 of the
 * original, each read once; 5 and 6 are the digests of 0 and 1.
 */
#define LGK_VIEW 0x4c02
/* Not 0: everything is compared after each step; before the first write. */
#define LGK_CARE 0x4c03
/* Records lines; before the first write. */
#define LGK_RECORD 0x4c07
/* Waits for a host event that a step of this file asks for. */
#define LGK_EVENT_WAIT 0x800c4c04
/* Tells that it has happened (0), or sends whoever waits away (1). */
#define LGK_EVENT_DONE 0x4c05
/* The kernel's reference count of the page at an address. */
#define LGK_REFERENCES 0x4c06
/*
 * Loads the port's shadow tables into CR3 and touches an address below the
 * kernel: reads a word, or writes one, and compares with the rig's walker.
 */
#define LGK_PROBE 0xc0104c08
struct lgk_probe {
	unsigned int address, write;
	/* To write; or what was read. */
	unsigned int word;
	unsigned int verdict;
};
/* Both say that it is mapped, and this is the word there; or that it faults. */
#define LGK_PROBE_MAPPED 0
#define LGK_PROBE_FAULT 1
/* An entry has bits that this processor reserves. */
#define LGK_PROBE_LEFT_OUT 2
/* It was reached, and the walker says that it faults, or A or D is not set. */
#define LGK_PROBE_REACHES 3
/* Another word is there. */
#define LGK_PROBE_WORD 4
/* It faults, and the walker says that it is mapped. */
#define LGK_PROBE_FAULTS 5

#endif
