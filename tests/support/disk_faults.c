/* LD_PRELOAD: the calls that change what is below one folder, counted; the n-th of them, or it and all behind it, fails
   as a disk fails, is carried out in part, or is the last thing the process ever does. `disk_faults_arm` is called by
   the process itself, just before what it is to be tested at. An fsync that is tried again on the descriptor on which it
   failed is told by `disk_faults_resynced`: Linux would call it a success, without the data. Not so for SQLite's files:
   it writes what it syncs again before it does. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, NAME = 4, MAKE = 8, SIZE = 16 };  /* kinds of calls, as a mask */
enum { NOTHING = 0, KILL = -1, SHORT = -2 };                  /* what happens; a positive one is an errno */

static char folder[PATH_MAX];
static int mask, what, lasting;
static long at;
static atomic_long count, resynced;
static atomic_char failed[65536]; /* descriptors on which a sync failed */

void disk_faults_arm(const char *place, int kinds, int fault, long number, int on) {
    strncpy(folder, place, sizeof folder - 1);
    mask = kinds; at = number; lasting = on; what = fault;
    atomic_store(&count, 0); atomic_store(&resynced, 0);
    memset((void *)failed, 0, sizeof failed);
}
long disk_faults_count(void) { return atomic_load(&count); }
long disk_faults_resynced(void) { return atomic_load(&resynced); }


static int below(const char *path) {
    size_t length = strlen(folder);
    return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static int of_descriptor(int descriptor, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, (size_t)PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return 1;
}

static int named(int directory, const char *name) {
    char path[PATH_MAX], whole[2 * PATH_MAX];
    if (name[0] == '/') return below(name);
    if (directory == AT_FDCWD) {
        if (!getcwd(path, sizeof path)) return 0;
    } else if (!of_descriptor(directory, path)) return 0;
    snprintf(whole, sizeof whole, "%s/%s", path, name);
    return below(whole);
}

static int opened(int descriptor) {
    char path[PATH_MAX];
    return folder[0] && of_descriptor(descriptor, path) && below(path);
}

/* What happens to this call: NOTHING, SHORT or an errno; KILL does not return. */
static int fault(int kind) {
    if (!(mask & kind) || !folder[0]) return NOTHING;
    long number = atomic_fetch_add(&count, 1) + 1;
    if (number < at || (number > at && !lasting)) return NOTHING;
    if (what == KILL) {
        kill(getpid(), SIGKILL);
        for (;;) pause();
    }
    return what;
}

#define FAIL(kind, here) do { \
    int told = (here) ? fault(kind) : NOTHING; \
    if (told > 0) { errno = told; return -1; } \
} while (0)

static size_t shorter(size_t size) { return size > 1 ? size / 2 : size; }

#define PUT(name, arguments, call, halved) \
    ssize_t name arguments { \
        int told = opened(descriptor) ? fault(WRITE) : NOTHING; \
        if (told > 0) { errno = told; return -1; } \
        if (told == SHORT) return halved; \
        return call; \
    }

static ssize_t raw_pwrite(int descriptor, const void *data, size_t size, off_t offset) {
    return syscall(SYS_pwrite64, descriptor, data, size, offset);
}
static ssize_t raw_write(int descriptor, const void *data, size_t size) {
    return syscall(SYS_write, descriptor, data, size);
}
static ssize_t raw_pwritev(int descriptor, const struct iovec *parts, int many, off_t offset) {
    return syscall(SYS_pwritev, descriptor, parts, (long)many, (long)offset, 0L);
}

PUT(write, (int descriptor, const void *data, size_t size),
    raw_write(descriptor, data, size), raw_write(descriptor, data, shorter(size)))
PUT(pwrite, (int descriptor, const void *data, size_t size, off_t offset),
    raw_pwrite(descriptor, data, size, offset), raw_pwrite(descriptor, data, shorter(size), offset))
PUT(pwrite64, (int descriptor, const void *data, size_t size, off64_t offset),
    raw_pwrite(descriptor, data, size, offset), raw_pwrite(descriptor, data, shorter(size), offset))
PUT(pwritev, (int descriptor, const struct iovec *parts, int many, off_t offset),
    raw_pwritev(descriptor, parts, many, offset), raw_pwrite(descriptor, parts[0].iov_base, shorter(parts[0].iov_len), offset))
PUT(pwritev64, (int descriptor, const struct iovec *parts, int many, off64_t offset),
    raw_pwritev(descriptor, parts, many, offset), raw_pwrite(descriptor, parts[0].iov_base, shorter(parts[0].iov_len), offset))

static int of_sqlite(const char *path) {
    size_t length = strlen(path);
    return (length > 3 && !strcmp(path + length - 3, ".db")) || (length > 4 && !strcmp(path + length - 4, "-wal"));
}

static int sync_of(int descriptor, long call) {
    char path[PATH_MAX];
    if (!opened(descriptor) || !of_descriptor(descriptor, path)) return (int)syscall(call, descriptor);
    if (descriptor >= 0 && !of_sqlite(path) && descriptor < 65536 && atomic_load(&failed[descriptor])) atomic_fetch_add(&resynced, 1);
    int told = fault(SYNC);
    if (told > 0) {
        if (descriptor < 65536) atomic_store(&failed[descriptor], 1);
        errno = told;
        return -1;
    }
    return (int)syscall(call, descriptor);
}
int fsync(int descriptor) { return sync_of(descriptor, SYS_fsync); }
int fdatasync(int descriptor) { return sync_of(descriptor, SYS_fdatasync); }
int close(int descriptor) {
    if (descriptor >= 0 && descriptor < 65536) atomic_store(&failed[descriptor], 0);
    return (int)syscall(SYS_close, descriptor);
}

static int open_at(int directory, const char *name, int flags, mode_t mode) {
    int writes = flags & (O_WRONLY | O_RDWR | O_CREAT);
    FAIL(flags & O_CREAT ? MAKE : NAME, writes && folder[0] && named(directory, name));
    return (int)syscall(SYS_openat, directory, name, flags, mode);
}
#define MODE(last) mode_t mode = 0; if (flags & O_CREAT) { va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *name, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, name, flags | O_LARGEFILE, mode); }
int openat(int directory, const char *name, int flags, ...) { MODE(flags) return open_at(directory, name, flags, mode); }
int openat64(int directory, const char *name, int flags, ...) { MODE(flags) return open_at(directory, name, flags | O_LARGEFILE, mode); }

int ftruncate(int descriptor, off_t size) {
    FAIL(SIZE, opened(descriptor));
    return (int)syscall(SYS_ftruncate, descriptor, size);
}
int ftruncate64(int descriptor, off64_t size) { return ftruncate(descriptor, size); }
int truncate(const char *name, off_t size) {
    FAIL(SIZE, named(AT_FDCWD, name));
    return (int)syscall(SYS_truncate, name, size);
}
int truncate64(const char *name, off64_t size) { return truncate(name, size); }
int posix_fallocate(int descriptor, off_t offset, off_t size) {
    int told = opened(descriptor) ? fault(MAKE) : NOTHING;
    if (told > 0) return told;
    return syscall(SYS_fallocate, descriptor, 0, offset, size) ? errno : 0;
}
int posix_fallocate64(int descriptor, off64_t offset, off64_t size) { return posix_fallocate(descriptor, offset, size); }

int rename(const char *from, const char *to) {
    FAIL(NAME, named(AT_FDCWD, to));
    return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
    FAIL(NAME, named(to_at, to));
    return (int)syscall(SYS_renameat, from_at, from, to_at, to);
}
int unlink(const char *name) {
    FAIL(NAME, named(AT_FDCWD, name));
    return (int)syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}
int unlinkat(int directory, const char *name, int flags) {
    FAIL(NAME, named(directory, name));
    return (int)syscall(SYS_unlinkat, directory, name, flags);
}
int rmdir(const char *name) {
    FAIL(NAME, named(AT_FDCWD, name));
    return (int)syscall(SYS_unlinkat, AT_FDCWD, name, AT_REMOVEDIR);
}
int mkdir(const char *name, mode_t mode) {
    FAIL(MAKE, named(AT_FDCWD, name));
    return (int)syscall(SYS_mkdirat, AT_FDCWD, name, mode);
}
int mkdirat(int directory, const char *name, mode_t mode) {
    FAIL(MAKE, named(directory, name));
    return (int)syscall(SYS_mkdirat, directory, name, mode);
}
int symlink(const char *said, const char *name) {
    FAIL(MAKE, named(AT_FDCWD, name));
    return (int)syscall(SYS_symlinkat, said, AT_FDCWD, name);
}
