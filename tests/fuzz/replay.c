/* Feed a fuzz target the files and folders given as arguments; without any, its own corpus:
 * .../fuzz_npy reads $srcdir/tests/fuzz/corpus/npy.  TAP, a line per file.
 *
 * A file called good-... must be accepted, any other refused with RSD_EFORMAT. */
#include "fuzz.h"

#include "err.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int number, failed;

static void report(bool fine, const char *path, const char *why)
{
    number++;
    failed += !fine;
    printf("%sok %d - %s%s%s\n", fine ? "" : "not ", number, path, *why ? ": " : "", why);
}

/* A block of exactly the file's size, so that a sanitizer sees a byte too much; or NULL. */
static uint8_t *slurp(const char *path, size_t *size)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    uint8_t *data = NULL;
    if (fstat(fileno(f), &st) == 0) {
        *size = (size_t)st.st_size;
        data = malloc(*size ? *size : 1);
    }
    if (data && fread(data, 1, *size, f) != *size) {
        free(data);
        data = NULL;
    }
    fclose(f);
    return data;
}

static void replay_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    const bool good = strncmp(slash ? slash + 1 : path, "good-", 5) == 0;
    size_t size = 0;
    uint8_t *data = slurp(path, &size);
    if (!data) {
        report(false, path, strerror(errno));
        return;
    }
    const int err = fuzz_read(data, size);
    if (good)
        report(!err, path, err ? rsd_errmsg() : "");
    else
        report(err == RSD_EFORMAT, path, err ? rsd_errmsg() : "was accepted");
    free(data);
}

static int visible(const struct dirent *entry) { return *entry->d_name != '.'; }

static void replay(const char *path)
{
    struct dirent **entry;
    struct stat st;
    if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
        replay_file(path);
        return;
    }
    const int n = scandir(path, &entry, visible, alphasort);
    if (n <= 0)
        report(false, path, n ? strerror(errno) : "is empty");
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, entry[i]->d_name);
        replay_file(file);
        free(entry[i]);
    }
    if (n >= 0)
        free(entry);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            replay(argv[i]);
    } else {
        char corpus[4096];
        const char *srcdir = getenv("srcdir"), *target = strstr(argv[0], "fuzz_"), *next;
        while (target && (next = strstr(target + 1, "fuzz_")))
            target = next;
        snprintf(corpus, sizeof corpus, "%s/tests/fuzz/corpus/%s", srcdir ? srcdir : ".",
                 target ? target + strlen("fuzz_") : "");
        replay(corpus);
    }
    printf("1..%d\n", number);
    return failed > 0;
}
