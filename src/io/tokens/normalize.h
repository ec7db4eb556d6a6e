/* Private to src/io/tokens.  Normalizers of tokenizer.json: what is done to text before it is cut
 * into words.
 *
 * NFC NFD NFKC NFKD (utf8proc's Unicode version), Lowercase, Strip, Prepend, Replace, Sequence. */
#ifndef RSD_IO_NORMALIZE_H
#define RSD_IO_NORMALIZE_H

#include "err.h"
#include "io/tokens/text.h"

struct json_t;

typedef struct rsd_normalizer rsd_normalizer;

/* json: the file's "normalizer"; NULL or null make one that changes nothing.
 * Errors: RSD_EFORMAT for what is unknown or malformed, by its name. */
RSD_CHECK int rsd_normalizer_parse(const struct json_t *json, rsd_normalizer **out);
void rsd_normalizer_free(rsd_normalizer *n);

/* Can it change where a text begins (Strip, Prepend)? */
bool rsd_normalizer_moves_start(const rsd_normalizer *n);

/* in of checked UTF-8, normalized: *out is in itself or text that is valid until the next call.
 * Characters that Unicode normalization changed have the origin of the first of the run of
 * characters that was normalized together.
 * Errors: RSD_ENOMEM, RSD_EDOM (a pattern that takes too long). */
RSD_CHECK int rsd_normalizer_run(rsd_normalizer *n, rsd_piece in, rsd_piece *out);

#endif
