/* A tokenizer out of the file that a model has for it. */
#include "alloc.h"
#include "io/file.h"
#include "io/gguf/metadata.h"
#include "io/tokens/tokenizer_parts.h"

#include <stdlib.h>
#include <sys/stat.h>

static int load_gguf(const char *path, rsd_tokenizer **out)
{
    rsd_gguf_metadata m;
    int err = rsd_gguf_metadata_open(path, &m);
    if (!err) {
        err = rsd_tokenizer_from_gguf(&m.gguf, out);
        if (err)
            err = rsd_fail_prefix(err, "%s", m.map.path);
    }
    rsd_gguf_metadata_close(&m);
    return err;
}

int rsd_tokenizer_load(const char *path, rsd_tokenizer **out)
{
    rsd_map map;
    *out = NULL;
    if (rsd_gguf_is_file(path))
        return load_gguf(path, out);
    RSD_TRY(rsd_map_open(path, &map));
    int err = rsd_tokenizer_parse(map.data, map.size, out);
    if (err)
        err = rsd_fail_prefix(err, "%s", path);
    rsd_map_close(&map);
    return err;
}

int rsd_tokenizer_load_model(const char *source, rsd_tokenizer **out)
{
    struct stat st;
    char *path;
    *out = NULL;
    const bool file = stat(source, &st) == 0 && S_ISREG(st.st_mode);
    if (file && !rsd_gguf_is_file(source))
        return RSD_FAIL(RSD_EFORMAT,
                        "%s: holds no vocabulary; give the folder with its "
                        "tokenizer.json, or tokens",
                        source);
    RSD_TRY(rsd_format(&path, file ? "%s" : "%s/tokenizer.json", source));
    const int err = rsd_tokenizer_load(path, out);
    free(path);
    return err;
}
