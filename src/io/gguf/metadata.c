#include "io/gguf/metadata.h"

#include "io/gguf/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool rsd_gguf_is_file(const char *path)
{
    struct stat st;
    char magic[4];
    if (stat(path, &st) || !S_ISREG(st.st_mode)) /* opening a FIFO would wait */
        return false;
    FILE *f = fopen(path, "rb");
    const bool is = f && fread(magic, 1, sizeof magic, f) == sizeof magic &&
                    memcmp(magic, "GGUF", sizeof magic) == 0;
    if (f)
        fclose(f);
    return is;
}

static int open_one(const char *path, rsd_gguf_metadata *out)
{
    *out = (rsd_gguf_metadata){ .map.fd = -1 };
    RSD_TRY(rsd_map_open(path, &out->map));
    const int err = rsd_gguf_parse(out->map.data, out->map.size, &out->gguf);
    return err ? rsd_fail_prefix(err, "%s", path) : RSD_OK;
}

int rsd_gguf_metadata_open(const char *path, rsd_gguf_metadata *out)
{
    size_t no, count;
    char *first;
    RSD_TRY(open_one(path, out));
    int err = rsd_gguf_split(&out->gguf, &no, &count);
    if (!err && !no)
        return RSD_OK;
    if (!err)
        err = rsd_gguf_part_path(path, no, count, 0, &first);
    if (err)
        return rsd_fail_prefix(err, "%s", path);
    rsd_gguf_metadata_close(out);
    err = open_one(first, out);
    free(first);
    return err;
}

void rsd_gguf_metadata_close(rsd_gguf_metadata *m)
{
    rsd_gguf_free(&m->gguf);
    rsd_map_close(&m->map);
}
