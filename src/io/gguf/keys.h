/* Private to src/io/gguf: the metadata of one architecture ("llama.block_count"), key by key.  What
 * is asked for is noted, so that the rest can be judged: a key that nobody read either says what is
 * the case anyway, or the model is not what the reader takes it for. */
#ifndef RSD_IO_GGUF_KEYS_H
#define RSD_IO_GGUF_KEYS_H

#include "err.h"
#include "io/gguf.h"

#include <stdbool.h>
#include <stddef.h>

struct json_t;

typedef struct {
    const rsd_gguf *gguf;
    const char *prefix; /* the architecture */
    bool *read;         /* of each of gguf's values */
} rsd_gguf_keys;

/* Free with rsd_gguf_keys_free.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_keys_open(const rsd_gguf *gguf, const char *prefix, rsd_gguf_keys *out);
void rsd_gguf_keys_free(rsd_gguf_keys *keys);

/* Is the key there?  (This reads nothing.) */
bool rsd_gguf_keys_has(const rsd_gguf_keys *keys, const char *name);

/* The value, where the key is there and of a fitting kind (gguf.h); otherwise *value stays as it
 * is, and the key counts as not read. */
void rsd_gguf_keys_size(rsd_gguf_keys *keys, const char *name, size_t *value);
void rsd_gguf_keys_real(rsd_gguf_keys *keys, const char *name, double *value);
void rsd_gguf_keys_flag(rsd_gguf_keys *keys, const char *name, bool *value);
/* Is the text this one, or the key not there?  Only then it counts as read. */
bool rsd_gguf_keys_says(rsd_gguf_keys *keys, const char *name, const char *text);

/* A key that was read but whose value is not what the reader can do. */
void rsd_gguf_keys_refuse(rsd_gguf_keys *keys, const char *name);

/* Put every key that nobody read, and whose value is not known to change nothing, into config by
 * its full name with its value as text: who reads config strictly refuses it by that name.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_keys_judge(const rsd_gguf_keys *keys, struct json_t *config);

#endif
