/* Each correction or adapter of a result file against a base of no more bytes that has none: which
 * of the two has the lower loss, window by window. */
#ifndef RSD_RESULT_SAME_BYTES_H
#define RSD_RESULT_SAME_BYTES_H

#include "io/store.h"
#include "spectra/paired.h"

/* On one text.  pair.n 0: the file has no losses of both. */
typedef struct {
    double loss, base; /* of the run, of the base */
    rsd_paired pair;   /* of the run less the base: negative where the correction wins */
} same_bytes_text;

typedef struct {
    char *model, *run;             /* of /recovery/runs */
    char *spec, *init;             /* of the run */
    char *base_run, *base;         /* the run of kind same bytes, and its quantizer, or "mixed" */
    int64_t bytes, base_bytes;     /* stored: base_bytes <= bytes */
    double bits, base_bits;        /* per weight */
    same_bytes_text first, second; /* the evaluation text, the second text */
} same_bytes_row;

typedef struct {
    size_t count;
    same_bytes_row *row;
    size_t without; /* runs of models that have such bases, none of which fits */
} same_bytes_list;

/* Add those of one file: of all bases of a run's model that take no more bytes and saw the same
 * windows, the one that was best on training windows (loss_probe), so that no evaluation window
 * chooses what it judges.  A row that is there already, out of a copy of the file, is not added.
 * Free with same_bytes_free, also after a failure.  Errors: the store's, RSD_EFORMAT, RSD_ENOMEM.
 */
RSD_CHECK int same_bytes_add(same_bytes_list *list, const rsd_store *store);
void same_bytes_free(same_bytes_list *list);

/* "correction", "base", or "neither" where the interval in blocks holds 0; "" without losses. */
const char *same_bytes_winner(const same_bytes_text *text);

/* Rows by who wins on a text. */
typedef struct {
    size_t correction, base, neither;
} same_bytes_tally;
same_bytes_tally same_bytes_count(const same_bytes_list *list, bool second);

#endif
