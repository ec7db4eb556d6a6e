/* A folder of its own for a test program that writes files; gone when the group is done. */
#ifndef RSD_SCRATCH_H
#define RSD_SCRATCH_H

#include "test.h"

#include "io/file.h"

#include <unistd.h>

static char scratch[] = "/tmp/rsd_test_XXXXXX";

/* Group set-up and tear-down of cmocka_run_group_tests. */
static int scratch_make(void **state)
{
    (void)state;
    return mkdtemp(scratch) ? 0 : -1;
}

static int scratch_remove(void **state)
{
    char command[64];
    (void)state;
    snprintf(command, sizeof command, "rm -r %s", scratch);
    return system(command);
}

/* A path in the folder; static storage, four at a time. */
static inline const char *in_scratch(const char *name)
{
    static char path[4][256];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", scratch, name);
    return path[next];
}

/* Write a file there, and the folder it lies in. */
static inline void put_file(const char *name, const void *data, size_t size)
{
    char parent[256];
    const char *path = in_scratch(name);
    snprintf(parent, sizeof parent, "%.*s", (int)(strrchr(path, '/') - path), path);
    CHECK_OK(rsd_make_folder(parent));
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, size, f), size);
    assert_int_equal(fclose(f), 0);
}

static inline void put_text(const char *name, const char *text)
{
    put_file(name, text, strlen(text));
}

static inline bool in_scratch_exists(const char *name)
{
    return access(in_scratch(name), F_OK) == 0;
}

/* Every prefix of a valid file is RSD_EFORMAT, the whole is fine.  Each prefix is a block of its
 * own, so that a sanitizer sees what reads on. */
static inline void refuse_prefixes(const uint8_t *data, size_t size,
                                   int (*parse)(const uint8_t *, size_t))
{
    for (size_t n = 0; n < size; n++) {
        uint8_t *cut = malloc(n ? n : 1);
        memcpy(cut, data, n);
        const int err = parse(cut, n);
        if (err != RSD_EFORMAT)
            fail_msg("cut at byte %zu of %zu: %s", n, size, rsd_strerror(err));
        free(cut);
    }
    CHECK_OK(parse(data, size));
}

#endif
