/* Private to src/io/tokens.  The merging of byte-pair encoding: ranked merges, and the symbols of a
 * word that they join. */
#ifndef RSD_IO_BPE_MERGE_H
#define RSD_IO_BPE_MERGE_H

#include "err.h"
#include "io/intern.h"

#include <stddef.h>
#include <stdint.h>

#define RSD_NO_ID UINT32_MAX

/* What a pair of tokens becomes, and how early. */
typedef struct {
    uint32_t rank, id;
} rsd_merge;

/* A table of them.  All zero is empty; free with rsd_merges_free. */
typedef struct {
    rsd_intern pairs;
    rsd_merge *merge; /* of each pair */
    size_t capacity;
} rsd_merges;

/* A pair that is put twice has its last rank.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_merges_put(rsd_merges *merges, const uint32_t pair[2], rsd_merge merge);
void rsd_merges_free(rsd_merges *merges);

/* A run of characters: its token, its bytes (0: merged into its left neighbour), its neighbours'
 * places (RSD_NO_ID: none). */
typedef struct {
    uint32_t id, bytes, left, right;
} rsd_symbol;

/* The symbols of a word, symbol[0] .. symbol[n - 1]; what is left of them after merging is the list
 * that begins at symbol[0].  All zero is empty; n = 0 empties it; free with rsd_symbols_free. */
typedef struct {
    rsd_symbol *symbol;
    struct rsd_candidate *heap;
    size_t n, candidates, symbol_capacity, heap_capacity;
} rsd_symbols;

/* Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_symbols_push(rsd_symbols *s, uint32_t id, size_t bytes);
/* Join pairs until no merge applies, the lowest rank first, the leftmost of these first.
 * Cost: O(n log n).  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_symbols_merge(rsd_symbols *s, const rsd_merges *merges);
void rsd_symbols_free(rsd_symbols *s);

#endif
