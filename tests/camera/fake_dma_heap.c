/* A pretend /dev/dma_heap/linux,cma, preloaded into the tests of `make test-camera` where the kernel has none.
 *
 * libcamera's DmaBufAllocator and picamera2's DmaHeap take their frame buffers from this device. Here a buffer is a
 * memfd: pages that can be mapped, duplicated and closed alike. No hardware writes to it, so there is no cache to keep
 * in step and DMA_BUF_IOCTL_SYNC has nothing to do. Every other path and request goes to the C library untouched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEAP "/dev/dma_heap/linux,cma"

static int open_heap(void) { return memfd_create("fake-dma-heap", MFD_CLOEXEC); }

/* open and open64 take a mode only with O_CREAT or O_TMPFILE. */
#define WRAP_OPEN(NAME)                                                  \
    int NAME(const char *path, int flags, ...)                           \
    {                                                                    \
        static int (*real)(const char *, int, ...);                      \
        mode_t mode = 0;                                                 \
        if (real == NULL)                                                \
            real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #NAME); \
        if (strcmp(path, HEAP) == 0)                                     \
            return open_heap();                                          \
        if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {     \
            va_list rest;                                                \
            va_start(rest, flags);                                       \
            mode = va_arg(rest, mode_t);                                 \
            va_end(rest);                                                \
        }                                                                \
        return real(path, flags, mode);                                  \
    }
WRAP_OPEN(open)
WRAP_OPEN(open64)

static int allocate(struct dma_heap_allocation_data *wanted)
{
    int buffer = memfd_create("fake-dma-buf", MFD_CLOEXEC);
    if (buffer < 0)
        return -1;
    if (ftruncate(buffer, (off_t)wanted->len) < 0) {
        close(buffer);
        return -1;
    }
    wanted->fd = (__u32)buffer;
    return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list rest;
    if (real == NULL)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    int result = real(fd, request, argument);
    if (result >= 0 || errno != ENOTTY)
        return result;
    switch (request) {
    case DMA_HEAP_IOCTL_ALLOC:
        return allocate(argument);
    case DMA_BUF_IOCTL_SYNC:
    case DMA_BUF_SET_NAME_A:
    case DMA_BUF_SET_NAME_B:
        return 0;
    default:
        return result;
    }
}
