/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two-level paging: the original and its neighbours in one compilation,
 * its external names prefixed so that both modes fit into one program.
 */

#define LG_CALL nopae_call
#define LG_FACTS nopae_facts

#define init_guest_pagetable nopae_init_guest_pagetable
#define free_guest_pagetable nopae_free_guest_pagetable
#define demand_page nopae_demand_page
#define pin_page nopae_pin_page
#define map_switcher_in_guest nopae_map_switcher_in_guest
#define guest_pa nopae_guest_pa
#define __guest_pa nopae___guest_pa
#define guest_set_pte nopae_guest_set_pte
#define guest_set_pgd nopae_guest_set_pgd
#define guest_set_pmd nopae_guest_set_pmd
#define guest_new_pagetable nopae_guest_new_pagetable
#define guest_pagetable_flush_user nopae_guest_pagetable_flush_user
#define guest_pagetable_clear_all nopae_guest_pagetable_clear_all
#define page_table_guest_data_init nopae_page_table_guest_data_init

/* The build says where it is. */
#include LG_ORIGINAL
#include "neighbours.h"
