// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device: an open file is at most one scenario on memory of the opener's.
 * What is written are its bytes in the strict binary form, in parts; what is
 * read is text.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "glue.h"
#include "ioctl.h"

struct lgk_figures lgk_figures;

static uint policy = ~0u;
module_param(policy, uint, 0444);
MODULE_PARM_DESC(policy,
	"mask of the original's defects that are mended: 0 none (Faithful), all ones all of them (Hardened, the default)");

static uint most_files = 16;
module_param(most_files, uint, 0444);
MODULE_PARM_DESC(most_files, "most open files, of some 2 MiB each");

static uint event_seconds = 60;
module_param(event_seconds, uint, 0644);
MODULE_PARM_DESC(event_seconds,
	"how long a step waits for a host event in its middle");

static int lgk_open(struct inode *inode, struct file *file)
{
	struct lgk_file *f;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!current->mm)
		return -EINVAL;
	if (atomic_inc_return(&lgk_figures.open) > most_files) {
		atomic_dec(&lgk_figures.open);
		return -EBUSY;
	}
	f = kvzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);
	if (f)
		f->world = kvzalloc(lgs_world_size(), GFP_KERNEL_ACCOUNT);
	if (f && f->world)
		f->buffer = kvmalloc(lgs_head() + LGK_WRITE,
				     GFP_KERNEL_ACCOUNT);
	if (!f || !f->world || !f->buffer) {
		if (f)
			kvfree(f->world);
		kvfree(f);
		atomic_dec(&lgk_figures.open);
		return -ENOMEM;
	}
	mutex_init(&f->lock);
	mutex_init(&f->event_lock);
	init_completion(&f->event_asked);
	init_completion(&f->event_done);
	mmgrab(current->mm);
	f->mm = current->mm;
	f->guest[0].file = f->guest[1].file = f;
	f->guest[1].side = 1;
	lgs_make(f->world, &f->guest[0], &f->guest[1], policy);
	file->private_data = f;
	return nonseekable_open(inode, file);
}

static int lgk_close(struct inode *inode, struct file *file)
{
	struct lgk_file *f = file->private_data;

	lgs_close(f->world);
	lgk_release(&f->guest[0]);
	lgk_release(&f->guest[1]);
	mmdrop(f->mm);
	kvfree(f->buffer);
	kvfree(f->world);
	kvfree(f);
	atomic_dec(&lgk_figures.open);
	return 0;
}

/* Where guest memory is if nobody said: where the scenario has it. */
static void default_base(struct lgk_file *f, u32 len)
{
	u32 side;

	for (side = 0; side < 2; side++)
		if (!f->guest[side].base && len >= lgs_head())
			f->guest[side].base = *(u32 *)(f->buffer + 16 + 20);
}

static ssize_t lgk_write(struct file *file, const char __user *from,
			 size_t count, loff_t *pos)
{
	struct lgk_file *f = file->private_data;
	u32 kept;
	s32 used;

	if (current->mm != f->mm)
		return -EPERM;
	if (count > LGK_WRITE)
		return -EMSGSIZE;
	if (mutex_lock_interruptible(&f->lock))
		return -EINTR;
	kept = f->begun ? lgs_head() : 0;
	if (copy_from_user(f->buffer + kept, from, count)) {
		used = -EFAULT;
	} else {
		unsigned long bases[2] = { f->guest[0].base, f->guest[1].base };

		default_base(f, kept + count);
		used = lgs_take(f->world, f->buffer, kept + count,
				f->full_care);
		if (used < 0 && !f->begun) {
			lgk_release(&f->guest[0]);
			lgk_release(&f->guest[1]);
			f->guest[0].base = bases[0];
			f->guest[1].base = bases[1];
		}
	}
	if (used < 0)
		atomic_inc(&lgk_figures.malformed);
	else if (used)
		f->begun = true;
	mutex_unlock(&f->lock);
	return used;
}

static ssize_t lgk_read(struct file *file, char __user *to, size_t count,
			loff_t *pos)
{
	struct lgk_file *f = file->private_data;
	ssize_t put;

	if (current->mm != f->mm)
		return -EPERM;
	if (*pos < 0 || *pos > INT_MAX)
		return -EINVAL;
	if (mutex_lock_interruptible(&f->lock))
		return -EINTR;
	/* Steps are kept behind the head alone while a write lasts. */
	count = min_t(size_t, count, LGK_WRITE);
	put = lgs_text(f->world, f->view, *pos, f->buffer + lgs_head(), count);
	if (copy_to_user(to, f->buffer + lgs_head(), put))
		put = -EFAULT;
	else
		*pos += put;
	mutex_unlock(&f->lock);
	return put;
}

/* A step's request, from the writer; the answer comes by LGK_EVENT_DONE. */
asmlinkage s32 kg_event(struct lgk_guest *guest, u32 kind, u32 page)
{
	struct lgk_file *f = guest->file;
	long left;

	mutex_lock(&f->event_lock);
	f->event_side = guest->side;
	f->event_kind = kind;
	f->event_page = page;
	f->event_wanted = true;
	reinit_completion(&f->event_done);
	mutex_unlock(&f->event_lock);
	complete(&f->event_asked);
	left = wait_for_completion_killable_timeout(&f->event_done,
						    event_seconds * HZ);
	mutex_lock(&f->event_lock);
	f->event_wanted = false;
	reinit_completion(&f->event_asked);
	mutex_unlock(&f->event_lock);
	return left > 0 ? 0 : -EIO;
}

asmlinkage s32 kg_pause(void)
{
	cond_resched();
	return signal_pending(current);
}

asmlinkage void kg_panic(void)
{
	/* There is no site that comes here: the build counts them. */
	BUG();
}

static long event_wait(struct lgk_file *f, void __user *to)
{
	struct lgk_event event;

	if (wait_for_completion_interruptible(&f->event_asked))
		return -EINTR;
	mutex_lock(&f->event_lock);
	event.side = f->event_side;
	event.kind = f->event_kind;
	event.page = f->event_page;
	mutex_unlock(&f->event_lock);
	return copy_to_user(to, &event, sizeof(event)) ? -EFAULT : 0;
}

static long event_done(struct lgk_file *f, bool dismiss)
{
	long result = -EINVAL;

	mutex_lock(&f->event_lock);
	if (dismiss) {
		f->event_kind = LGK_NO_EVENT;
		complete(&f->event_asked);
		result = 0;
	}
	if (f->event_wanted) {
		f->event_wanted = false;
		complete(&f->event_done);
		result = 0;
	}
	mutex_unlock(&f->event_lock);
	return result;
}

static long set_memory(struct lgk_file *f, void __user *from)
{
	struct lgk_memory memory;
	u32 side;

	if (copy_from_user(&memory, from, sizeof(memory)))
		return -EFAULT;
	for (side = 0; side < 2; side++)
		if (!memory.base[side] || (memory.base[side] & ~PAGE_MASK) ||
		    memory.base[side] >= TASK_SIZE)
			return -EINVAL;
	if (f->begun)
		return -EBUSY;
	for (side = 0; side < 2; side++)
		f->guest[side].base = memory.base[side];
	return 0;
}

/* References that the kernel counts on the page at an address, ours not. */
static long page_references(unsigned long addr)
{
	struct page *page;
	long count;

	if (get_user_pages_fast(addr, 1, 0, &page) != 1)
		return -EFAULT;
	count = page_count(page) - 1;
	put_page(page);
	return count;
}

static long lgk_ioctl(struct file *file, unsigned int command,
		      unsigned long argument)
{
	struct lgk_file *f = file->private_data;
	void __user *at = (void __user *)argument;
	long result = 0;

	if (current->mm != f->mm)
		return -EPERM;
	/* These two come while a write is under way. */
	if (command == LGK_EVENT_WAIT)
		return event_wait(f, at);
	if (command == LGK_EVENT_DONE)
		return event_done(f, argument == 1);
	if (mutex_lock_interruptible(&f->lock))
		return -EINTR;
	switch (command) {
	case LGK_MEMORY:
		result = set_memory(f, at);
		break;
	case LGK_VIEW:
		f->view = argument;
		file->f_pos = 0;
		break;
	case LGK_CARE:
		f->full_care = argument;
		break;
	case LGK_RECORD:
		if (f->begun)
			result = -EBUSY;
		else
			lgs_record(f->world);
		break;
	case LGK_REFERENCES:
		result = page_references(argument);
		break;
	case LGK_PROBE:
		result = lgk_probe(f, at);
		break;
	default:
		result = -ENOTTY;
	}
	mutex_unlock(&f->lock);
	return result;
}

static const struct file_operations lgk_fops = {
	.owner = THIS_MODULE,
	.open = lgk_open,
	.release = lgk_close,
	.write = lgk_write,
	.read = lgk_read,
	.unlocked_ioctl = lgk_ioctl,
	.llseek = no_llseek,
};

static struct miscdevice lgk_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = KBUILD_MODNAME,
	.mode = 0600,
	.fops = &lgk_fops,
};

static struct dentry *lgk_dir;

static int figures_show(struct seq_file *s, void *unused)
{
#define SHOW(name) \
	seq_printf(s, #name " %d\n", atomic_read(&lgk_figures.name))
	SHOW(open);
	SHOW(guests);
	SHOW(malformed);
	SHOW(pins);
	SHOW(puts);
	SHOW(allocs);
	SHOW(frees);
	SHOW(refused);
	SHOW(left_references);
	SHOW(left_tables);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(figures);

static int __init lgk_init(void)
{
	int result = misc_register(&lgk_device);

	if (result)
		return result;
	lgk_dir = debugfs_create_dir(KBUILD_MODNAME, NULL);
	debugfs_create_file("figures", 0400, lgk_dir, NULL, &figures_fops);
	pr_info(KBUILD_MODNAME ": %s tables, policy %#x\n",
		IS_ENABLED(CONFIG_X86_PAE) ? "PAE" : "two-level", policy);
	return 0;
}

static void __exit lgk_exit(void)
{
	debugfs_remove_recursive(lgk_dir);
	misc_deregister(&lgk_device);
	pr_info(KBUILD_MODNAME ": gone, refused %d, left %d references and %d tables\n",
		atomic_read(&lgk_figures.refused),
		atomic_read(&lgk_figures.left_references),
		atomic_read(&lgk_figures.left_tables));
}

module_init(lgk_init);
module_exit(lgk_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Replays scenarios of lguest's shadow page tables on this kernel");
