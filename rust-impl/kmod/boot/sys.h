/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 32-bit program without a C library: the system calls that the boots use,
 * and what writes to the console.
 */
#ifndef BOOT_SYS_H
#define BOOT_SYS_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

static long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	long result;

	/* The sixth argument travels in the frame pointer. */
	__asm__ volatile("pushl %[f]\n\tpush %%ebp\n\tmov 4(%%esp), %%ebp\n\t"
			 "int $0x80\n\tpop %%ebp\n\tadd $4, %%esp"
			 : "=a"(result)
			 : "0"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e),
			   [f] "m"(f)
			 : "memory");
	return result;
}

#define sys5(n, a, b, c, d, e) sys6(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define sys3(n, a, b, c) sys5(n, a, b, c, 0, 0)

#define sys_exit(code) sys3(1, code, 0, 0)
#define sys_fork() sys3(2, 0, 0, 0)
#define sys_read(fd, to, n) sys3(3, fd, to, n)
#define sys_write(fd, from, n) sys3(4, fd, from, n)
#define sys_open(path, flags) sys3(5, path, flags, 0)
#define sys_close(fd) sys3(6, fd, 0, 0)
#define sys_pause() sys3(29, 0, 0, 0)
#define sys_kill(pid, signal) sys3(37, pid, signal, 0)
#define sys_mkdir(path) sys3(39, path, 0755, 0)
#define sys_mount(from, at, kind) sys5(21, from, at, kind, 0, 0)
#define sys_ioctl(fd, command, arg) sys3(54, fd, command, arg)
#define sys_reboot() sys5(88, 0xfee1dead, 672274793, 0x4321fedc, 0, 0)
#define sys_munmap(at, n) sys3(91, at, n, 0)
#define sys_wait4(pid, status) sys5(114, pid, status, 0, 0, 0)
#define sys_mprotect(at, n, prot) sys3(125, at, n, prot)
#define sys_delete_module(name) sys3(129, name, 0, 0)
#define sys_sched_yield() sys3(158, 0, 0, 0)
#define sys_setuid(uid) sys3(213, uid, 0, 0)
#define sys_mmap(at, n, prot, flags, fd, page) \
	sys6(192, (long)(at), (long)(n), prot, flags, fd, page)
#define sys_madvise(at, n, advice) sys3(219, at, n, advice)
#define sys_sched_setaffinity(mask) sys3(241, 0, sizeof(*(mask)), mask)
#define sys_clock_gettime(clock, to) sys3(265, clock, to, 0)
#define sys_finit_module(fd, options) sys3(350, fd, options, 0)
#define sys_memfd_create(name) sys3(356, name, 0, 0)
#define sys_ftruncate(fd, n) sys3(93, fd, n, 0)
#define sys_dup2(fd, to) sys3(63, fd, to, 0)

#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_SHARED 1
#define MAP_PRIVATE 2
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MADV_DONTFORK 10
#define MADV_DOFORK 11
#define MADV_NOHUGEPAGE 15
#define SIGKILL 9
#define EPERM 1
#define EINTR 4
#define EINVAL 22

void *memcpy(void *to, const void *from, u32 n);
void *memset(void *to, int value, u32 n);

static int length(const char *text)
{
	int n = 0;

	while (text[n])
		n++;
	return n;
}

static int same(const void *a, const void *b, u32 n)
{
	const u8 *x = a, *y = b;
	u32 i;

	for (i = 0; i < n; i++)
		if (x[i] != y[i])
			return 0;
	return 1;
}

/* A line of the console is put together and written whole. */
static char line[2048];
static u32 line_len;

static void flush(void)
{
	sys_write(1, line, line_len);
	line_len = 0;
}

static void put_bytes(const char *text, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (line_len == sizeof(line) - 1)
			flush();
		line[line_len++] = text[i];
		if (text[i] == '\n')
			flush();
	}
}

static void put(const char *text)
{
	put_bytes(text, length(text));
}

static void put_number(long value)
{
	char digits[12];
	int at = 12;
	unsigned long rest = value < 0 ? -value : value;

	do {
		digits[--at] = '0' + rest % 10;
		rest /= 10;
	} while (rest);
	if (value < 0)
		put("-");
	put_bytes(digits + at, 12 - at);
}

/* Milliseconds since the start. */
static long now(void)
{
	long time[2];

	sys_clock_gettime(1, time);
	return time[0] * 1000 + time[1] / 1000000;
}

/*
 * Where this task may run, and those that it forks: the client that counts
 * references stays on one CPU, for pages that it just touched may be on a
 * list of the CPU that it ran on, and no other CPU can push them out.
 */
static void run_on(u32 cpus)
{
	if (sys_sched_setaffinity(&cpus) < 0) {
		put("DIE affinity\n");
		sys_exit(1);
	}
}
#define FIRST_CPU 1u
#define ANY_CPU 0xffffffffu

/* Another task of this process, which runs `what` on a stack of its own and ends. */
static long start_thread(void (*what)(void), u32 *stack_end)
{
	long result;

	stack_end[-1] = (u32)what;
	__asm__ volatile("int $0x80\n\t"
			 "test %%eax, %%eax\n\t"
			 "jnz 1f\n\t"
			 "pop %%eax\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%%eax\n\t"
			 "mov $1, %%eax\n\t"
			 "xor %%ebx, %%ebx\n\t"
			 "int $0x80\n"
			 "1:"
			 : "=a"(result)
			 : "0"(120), "b"(0x10f00), "c"(stack_end - 1), "d"(0),
			   "S"(0), "D"(0)
			 : "memory");
	return result;
}

#endif
