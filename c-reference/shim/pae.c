/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three-level paging: the original and its neighbours in one compilation,
 * its external names prefixed so that both modes fit into one program.
 */
#define CONFIG_X86_PAE 1
#define LG_CALL pae_call
#define LG_FACTS pae_facts

#define init_guest_pagetable pae_init_guest_pagetable
#define free_guest_pagetable pae_free_guest_pagetable
#define demand_page pae_demand_page
#define pin_page pae_pin_page
#define map_switcher_in_guest pae_map_switcher_in_guest
#define guest_pa pae_guest_pa
#define __guest_pa pae___guest_pa
#define guest_set_pte pae_guest_set_pte
#define guest_set_pgd pae_guest_set_pgd
#define guest_set_pmd pae_guest_set_pmd
#define guest_new_pagetable pae_guest_new_pagetable
#define guest_pagetable_flush_user pae_guest_pagetable_flush_user
#define guest_pagetable_clear_all pae_guest_pagetable_clear_all
#define page_table_guest_data_init pae_page_table_guest_data_init

/* The build says where it is. */
#include LG_ORIGINAL
#include "neighbours.h"
