/* LD_PRELOAD for User Mode Linux (`linux.uml`), which runs a whole guest as one process of ours.

   1. The disk $GUEST_DISK gets a cache of its own: what was written to it since it was last flushed is kept in
      $GUEST_DISK.cache, as it was before and as it was written, so that a power cut can take any part of it
      (`tests/power/disk_cache.py`). The guest must reach that file by hostfs: its own disks (ubd) of Linux 6.1 never
      pass a flush on. The power goes between two writes: once there is $GUEST_DISK.cut, so many writes later as its
      one byte says.
   2. Linux 6.1 gives a process's registers back with the length of the state that it was built for. A processor with
      larger ones (AMX) refuses that, and the guest panics before its first process has begun. What is behind that length
      is then taken from the process itself (ptrace(2), NT_X86_XSTATE). Linux 6.13 asks the processor. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PIECE = 65536 };
static long (*real_ptrace)(enum __ptrace_request, ...);
static struct stat disk;
static char cut[4096];
static int cache = -1, left = -1;
static char before[PIECE], registers[PIECE]; /* the guest's one kernel thread alone is here: never two at a time */

__attribute__((constructor)) static void begin(void) {
    char path[4096];
    const char *place = getenv("GUEST_DISK");
    real_ptrace = dlsym(RTLD_NEXT, "ptrace");
    if (!place) return;
    snprintf(path, sizeof path, "%s.cache", place);
    snprintf(cut, sizeof cut, "%s.cut", place);
    cache = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (cache < 0 || stat(place, &disk)) _exit(1); /* a disk that forgets nothing would hide faults */
}

static int is_disk(int descriptor) {
    struct stat asked;
    return cache >= 0 && !fstat(descriptor, &asked) && asked.st_ino == disk.st_ino && asked.st_dev == disk.st_dev;
}

static void lose_power_in_time(void) {
    unsigned char writes;
    int asked = left < 0 ? open(cut, O_RDONLY | O_CLOEXEC) : -1;
    if (asked >= 0 && read(asked, &writes, 1) == 1) left = writes;
    if (asked >= 0) close(asked);
    if (left >= 0 && !left--) kill(0, SIGKILL); /* the guest has a process group of its own */
}

/* One record: offset, length (both 64 bits, of this machine), what was there, what is written. */
static void note(int descriptor, const char *data, uint64_t length, uint64_t offset) {
    uint64_t head[2] = {offset, length};
    memset(before, 0, length);
    syscall(SYS_pread64, descriptor, before, length, offset);
    struct iovec parts[] = {{head, sizeof head}, {before, length}, {(void *)data, length}};
    if (writev(cache, parts, 3) != (ssize_t)(sizeof head + 2 * length)) _exit(1);
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    if (is_disk(descriptor)) {
        lose_power_in_time();
        for (size_t at = 0; at < length; at += PIECE)
            note(descriptor, (const char *)data + at, length - at < PIECE ? length - at : PIECE, offset + at);
    }
    return syscall(SYS_pwrite64, descriptor, data, length, offset);
}

/* This machine's own disk does not lose its power: nothing waits for it. */
int fdatasync(int descriptor) {
    return is_disk(descriptor) ? ftruncate(cache, 0) : (int)syscall(SYS_fdatasync, descriptor);
}

int fsync(int descriptor) {
    return is_disk(descriptor) ? ftruncate(cache, 0) : (int)syscall(SYS_fsync, descriptor);
}

long ptrace(enum __ptrace_request request, ...) {
    va_list rest;
    va_start(rest, request);
    pid_t process = va_arg(rest, pid_t);
    void *address = va_arg(rest, void *), *data = va_arg(rest, void *);
    va_end(rest);
    long answer = real_ptrace(request, process, address, data);
    if (!answer || request != PTRACE_SETREGSET || (long)address != NT_X86_XSTATE) return answer;
    const struct iovec *given = data;
    struct iovec whole = {registers, sizeof registers};
    if (real_ptrace(PTRACE_GETREGSET, process, address, &whole) < 0 || whole.iov_len <= given->iov_len) return answer;
    memcpy(registers, given->iov_base, given->iov_len);
    return real_ptrace(PTRACE_SETREGSET, process, address, &whole);
}
