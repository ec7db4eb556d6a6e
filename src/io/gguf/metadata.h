/* Private to src/io.  The metadata of a GGUF model, by the name of its file or of any of its parts:
 * they are the first part's. */
#ifndef RSD_IO_GGUF_METADATA_H
#define RSD_IO_GGUF_METADATA_H

#include "err.h"
#include "io/file.h"
#include "io/gguf.h"

#include <stdbool.h>

typedef struct {
    rsd_map map;
    rsd_gguf gguf;
} rsd_gguf_metadata;

/* Is there a file of this name that begins as GGUF does? */
bool rsd_gguf_is_file(const char *path);

/* Close with rsd_gguf_metadata_close, also after a failure.  Errors: RSD_EIO; those of
 * rsd_gguf_parse and rsd_gguf_part_path, with the file's name. */
RSD_CHECK int rsd_gguf_metadata_open(const char *path, rsd_gguf_metadata *out);
void rsd_gguf_metadata_close(rsd_gguf_metadata *m);

#endif
