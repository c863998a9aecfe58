// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The original, byte for byte, as code of this kernel, and what stood around
 * it in lguest.  The build puts page_tables.c and the rig's own headers of
 * the neighbours (c-reference/shim) beside this file.
 */
#include "page_tables.c"

#include "kill.h"

#define LG_CALL lg_call

#include "guest_memory.h"
#include "stack.h"
#include "hypercalls.h"
#include "entries.h"
