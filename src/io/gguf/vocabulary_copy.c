/* The vocabulary of a GGUF file, as it stands, for another one of the same model. */
#include "io/gguf/metadata.h"
#include "io/gguf/vocabulary_lists.h"

#include <string.h>

int rsd_vocabulary_copy(rsd_gguf_writer *w, const char *path)
{
    static const char prefix[] = "tokenizer.";
    rsd_gguf_metadata from;
    int err = rsd_gguf_metadata_open(path, &from);
    for (size_t i = 0; i < from.gguf.values && !err; i++)
        if (strncmp(from.gguf.value[i].key, prefix, strlen(prefix)) == 0)
            err = rsd_gguf_put_value(w, &from.gguf.value[i]);
    rsd_gguf_metadata_close(&from);
    return err;
}
