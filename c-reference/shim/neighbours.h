/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands around the page-table code in lguest, and calls it. */
#ifndef LG_NEIGHBOURS_H
#define LG_NEIGHBOURS_H

#include "format.h"
#include "guest_memory.h"
#include "stack.h"
#include "hypercalls.h"
#include "entries.h"
#include "facts.h"

#endif
