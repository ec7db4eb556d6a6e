/* model.safetensors.index.json: no shard that is accepted lies outside the folder. */
#include "fuzz.h"

#include "io/safetensors.h"

#include <string.h>

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_st_index index;
    const int err = rsd_st_index_parse(data, size, &index);
    PROMISE(err ? *rsd_errmsg() && !index.count && !index.entry : index.count > 0);
    for (size_t i = 0; i < index.count; i++) {
        const char *file = index.entry[i].file;
        PROMISE(index.entry[i].tensor && *file && !strchr(file, '/'));
        PROMISE(strcmp(file, ".") != 0 && strcmp(file, "..") != 0);
    }
    rsd_st_index_free(&index);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
