#include "io/tokens/bpe_merge.h"

#include "alloc.h"

#include <stdbool.h>
#include <stdlib.h>

/* A merge that could be made at symbol `at` when it was pushed. */
typedef struct rsd_candidate {
    uint32_t rank, at, id;
} candidate;

int rsd_merges_put(rsd_merges *merges, const uint32_t pair[2], rsd_merge merge)
{
    size_t at;
    RSD_TRY(rsd_grow(&merges->merge, &merges->capacity, merges->pairs.count + 1,
                     sizeof *merges->merge));
    RSD_TRY(rsd_intern_add(&merges->pairs, pair, 2 * sizeof *pair, &at));
    merges->merge[at] = merge;
    return RSD_OK;
}

void rsd_merges_free(rsd_merges *merges)
{
    rsd_intern_free(&merges->pairs);
    free(merges->merge);
    *merges = (rsd_merges){ 0 };
}

void rsd_symbols_free(rsd_symbols *s)
{
    free(s->symbol);
    free(s->heap);
    *s = (rsd_symbols){ 0 };
}

int rsd_symbols_push(rsd_symbols *s, uint32_t id, size_t bytes)
{
    const size_t n = s->n;
    const uint32_t left = n ? (uint32_t)n - 1 : RSD_NO_ID;
    RSD_TRY(rsd_grow(&s->symbol, &s->symbol_capacity, n + 1, sizeof *s->symbol));
    s->symbol[n] = (rsd_symbol){ id, (uint32_t)bytes, left, RSD_NO_ID };
    if (n)
        s->symbol[left].right = (uint32_t)n;
    s->n++;
    return RSD_OK;
}

/* ---- a heap of what could be merged, over a list of what is left ---- */

static bool before(const candidate *a, const candidate *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push_candidate(rsd_symbols *s, candidate c)
{
    size_t i = s->candidates++;
    for (; i && before(&c, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = c;
}

static candidate pop_candidate(rsd_symbols *s)
{
    const candidate first = s->heap[0], last = s->heap[--s->candidates];
    const size_t n = s->candidates;
    size_t i = 0;
    for (size_t child = 1; child < n; child = 2 * i + 1) {
        child += child + 1 < n && before(&s->heap[child + 1], &s->heap[child]);
        if (!before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return first;
}

/* The merge of symbol at with the one at its right, or NULL. */
static const rsd_merge *find_merge(const rsd_symbols *s, const rsd_merges *merges, uint32_t at)
{
    const uint32_t right = s->symbol[at].right;
    if (right == RSD_NO_ID)
        return NULL;
    const uint32_t pair[2] = { s->symbol[at].id, s->symbol[right].id };
    const ptrdiff_t k = rsd_intern_find(&merges->pairs, pair, sizeof pair);
    return k == RSD_INTERN_NONE ? NULL : &merges->merge[k];
}

static void consider(rsd_symbols *s, const rsd_merges *merges, uint32_t at)
{
    const rsd_merge *m = at == RSD_NO_ID ? NULL : find_merge(s, merges, at);
    if (m)
        push_candidate(s, (candidate){ m->rank, at, m->id });
}

static void join(rsd_symbols *s, const rsd_merges *merges, uint32_t at, uint32_t id)
{
    rsd_symbol *here = &s->symbol[at], *right = &s->symbol[here->right];
    here->id = id;
    here->bytes += right->bytes;
    here->right = right->right;
    right->bytes = 0;
    if (here->right != RSD_NO_ID)
        s->symbol[here->right].left = at;
    consider(s, merges, here->left);
    consider(s, merges, at);
}

/* Each merge makes at most two candidates and one symbol less: 3 n are enough. */
int rsd_symbols_merge(rsd_symbols *s, const rsd_merges *merges)
{
    s->candidates = 0;
    RSD_TRY(rsd_grow(&s->heap, &s->heap_capacity, 3 * s->n, sizeof *s->heap));
    for (size_t i = 0; i < s->n; i++)
        consider(s, merges, (uint32_t)i);
    while (s->candidates) {
        const candidate c = pop_candidate(s);
        const rsd_merge *m = s->symbol[c.at].bytes ? find_merge(s, merges, c.at) : NULL;
        if (m && m->id == c.id) /* otherwise one of the two has been merged with another since */
            join(s, merges, c.at, c.id);
    }
    return RSD_OK;
}
