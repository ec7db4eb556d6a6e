/* Preloaded before a program: one of its own requests for memory is refused, as a full machine
 * would; those of the libraries that it links are not, since what they do then is theirs.
 *
 * FAIL_ALLOC=K refuses the K-th request of FAIL_ALLOC_LEAST to FAIL_ALLOC_MOST bytes (by default of
 * any size); FAIL_ALLOC=0 counts them, and writes the number to the file FAIL_ALLOC_COUNT at exit.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    long at, seen;
    size_t least, most;
    char program[4096];
    bool ready;
} shim;

/* dlsym itself asks for a little before the real functions are known. */
static _Alignas(16) char early[1 << 16];
static size_t early_used;

static void begin(void)
{
    const char *text = getenv("FAIL_ALLOC"), *least = getenv("FAIL_ALLOC_LEAST"),
               *most = getenv("FAIL_ALLOC_MOST");
    if (shim.ready)
        return;
    shim.ready = true;
    *(void **)&shim.malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&shim.calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&shim.realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&shim.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&shim.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    const ssize_t n = readlink("/proc/self/exe", shim.program, sizeof shim.program - 1);
    shim.program[n > 0 ? n : 0] = 0;
    shim.at = text ? atol(text) : 0;
    shim.least = least ? strtoul(least, NULL, 10) : 1;
    shim.most = most ? strtoul(most, NULL, 10) : (size_t)-1;
}

/* The program's own code, and libc and jansson on its behalf. */
static bool is_ours(const void *caller)
{
    Dl_info info;
    if (!dladdr(caller, &info) || !info.dli_fname)
        return false;
    const char *name = strrchr(info.dli_fname, '/'), *own = strrchr(shim.program, '/');
    name = name ? name + 1 : info.dli_fname;
    return strncmp(name, "libc.", 5) == 0 || strncmp(name, "libjansson", 10) == 0 ||
           (own && strcmp(name, own + 1) == 0);
}

static bool refused(size_t size, const void *caller)
{
    begin();
    if (size < shim.least || size > shim.most || !is_ours(caller))
        return false;
    if (__atomic_add_fetch(&shim.seen, 1, __ATOMIC_RELAXED) != shim.at)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return refused(size, __builtin_return_address(0)) ? NULL : shim.malloc(size);
}

void *calloc(size_t count, size_t size)
{
    if (shim.ready && !shim.calloc) {
        void *p = early + early_used;
        early_used += (count * size + 15) & ~(size_t)15;
        return p;
    }
    return refused(count * size, __builtin_return_address(0)) ? NULL : shim.calloc(count, size);
}

void *realloc(void *p, size_t size)
{
    return refused(size, __builtin_return_address(0)) ? NULL : shim.realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return refused(size, __builtin_return_address(0)) ? NULL : shim.aligned_alloc(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
    return refused(size, __builtin_return_address(0)) ? ENOMEM
                                                      : shim.posix_memalign(p, alignment, size);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAIL_ALLOC_COUNT");
    FILE *f = path ? fopen(path, "w") : NULL;
    if (!f)
        return;
    fprintf(f, "%ld\n", shim.seen);
    fclose(f);
}
