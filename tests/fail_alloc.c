/* Preloaded before a program: one of its own requests for memory is refused, as a full machine
 * would; those of the libraries that it links are not, since what they do then is theirs.
 *
 * FAIL_ALLOC=K refuses the K-th request of FAIL_ALLOC_LEAST to FAIL_ALLOC_MOST bytes (by default of
 * any size); FAIL_ALLOC=0 counts them, and writes the number to the file FAIL_ALLOC_COUNT at exit.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    void *(*malloc)(size_t);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    long at, seen;
    size_t least, most;
    uintptr_t code[16][2]; /* [parts] begin and end: whose requests count */
    size_t parts;
    bool ready;
} shim;

/* dlsym itself asks for a little before the real functions are known. */
static _Alignas(16) char early[1 << 16];
static size_t early_used;

/* The program's own code, and that of libc and jansson on its behalf. */
static int note_code(struct dl_phdr_info *object, size_t size, void *unused)
{
    const char *slash = strrchr(object->dlpi_name, '/');
    const char *name = slash ? slash + 1 : object->dlpi_name; /* the program has none */
    (void)size;
    (void)unused;
    if (*name && strncmp(name, "libc.", 5) != 0 && strncmp(name, "libjansson", 10) != 0)
        return 0;
    for (size_t i = 0; i < object->dlpi_phnum && shim.parts < 16; i++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
            continue;
        uintptr_t *code = shim.code[shim.parts++];
        code[0] = object->dlpi_addr + part->p_vaddr;
        code[1] = code[0] + part->p_memsz;
    }
    return 0;
}

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
    dl_iterate_phdr(note_code, NULL);
    shim.at = text ? atol(text) : 0;
    shim.least = least ? strtoul(least, NULL, 10) : 1;
    shim.most = most ? strtoul(most, NULL, 10) : (size_t)-1;
}

static bool is_ours(const void *caller)
{
    bool ours = false;
    for (size_t i = 0; i < shim.parts; i++)
        ours |= (uintptr_t)caller >= shim.code[i][0] && (uintptr_t)caller < shim.code[i][1];
    return ours;
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
