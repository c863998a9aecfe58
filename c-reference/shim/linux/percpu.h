/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host CPUs: how many there are, and which one this is. */
#ifndef LG_LINUX_PERCPU_H
#define LG_LINUX_PERCPU_H

#include <linux/kernel.h>

#define nr_cpu_ids ((int)lg_here()->nr_cpus)
#define raw_smp_processor_id() ((int)lg_here()->cpu)
#define for_each_possible_cpu(i) for ((i) = 0; (i) < (u32)nr_cpu_ids; (i)++)

#endif
