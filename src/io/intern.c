#include "io/intern.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

/* Multiply and fold, eight bytes at a time; the length tells strings apart that differ in trailing
 * NULs only.  Not meant against chosen collisions: they cost time, not correctness. */
static uint64_t mix(uint64_t h, uint64_t word)
{
    const __uint128_t product = (__uint128_t)(h ^ word) * 0x9e3779b97f4a7c15u;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(const uint8_t *s, size_t n)
{
    uint64_t h = 0x243f6a8885a308d3u ^ n, word;
    for (; n >= sizeof word; s += sizeof word, n -= sizeof word) {
        memcpy(&word, s, sizeof word);
        h = mix(h, word);
    }
    word = 0;
    if (n)
        memcpy(&word, s, n);
    return mix(h, word ^ 0x452821e638d01377u);
}

/* The slot where key is, or the free one where it belongs.  slots > count, so there is one. */
static size_t probe(const rsd_intern *t, uint64_t hash, const void *key, size_t n)
{
    size_t at = hash & (t->slots - 1);
    for (; t->slot[at]; at = (at + 1) & (t->slots - 1)) {
        const struct rsd_intern_entry *e = &t->entry[t->slot[at] - 1];
        if (e->hash == hash && e->n == n && (!n || memcmp(t->bytes + e->offset, key, n) == 0))
            break;
    }
    return at;
}

static int widen(rsd_intern *t)
{
    const size_t slots = t->slots ? 2 * t->slots : 64;
    uint32_t *slot = calloc(slots, sizeof *slot);
    if (!slot)
        return RSD_FAIL(RSD_ENOMEM, "%zu bytes", slots * sizeof *slot);
    for (size_t i = 0; i < t->count; i++) {
        size_t at = t->entry[i].hash & (slots - 1);
        while (slot[at])
            at = (at + 1) & (slots - 1);
        slot[at] = (uint32_t)i + 1;
    }
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    return RSD_OK;
}

ptrdiff_t rsd_intern_find(const rsd_intern *t, const void *key, size_t n)
{
    if (!t->slots)
        return RSD_INTERN_NONE;
    return (ptrdiff_t)t->slot[probe(t, hash_bytes(key, n), key, n)] - 1;
}

int rsd_intern_add(rsd_intern *t, const void *key, size_t n, size_t *number)
{
    size_t used;
    if (2 * t->count >= t->slots)
        RSD_TRY(widen(t));
    const uint64_t hash = hash_bytes(key, n);
    const size_t at = probe(t, hash, key, n);
    if (t->slot[at]) {
        *number = t->slot[at] - 1;
        return RSD_OK;
    }
    if (t->count >= INT32_MAX || __builtin_add_overflow(t->used, n, &used))
        return RSD_FAIL(RSD_ENOMEM, "a table of %zu strings is full", t->count);
    RSD_TRY(rsd_grow(&t->entry, &t->entry_capacity, t->count + 1, sizeof *t->entry));
    RSD_TRY(rsd_grow(&t->bytes, &t->byte_capacity, used ? used : 1, 1));
    if (n)
        memcpy(t->bytes + t->used, key, n);
    t->entry[t->count] = (struct rsd_intern_entry){ hash, t->used, n };
    t->used = used;
    *number = t->count++;
    t->slot[at] = (uint32_t)t->count;
    return RSD_OK;
}

const uint8_t *rsd_intern_key(const rsd_intern *t, size_t i, size_t *n)
{
    *n = t->entry[i].n;
    return t->bytes + t->entry[i].offset;
}

void rsd_intern_clear(rsd_intern *t)
{
    if (t->slots)
        memset(t->slot, 0, t->slots * sizeof *t->slot);
    t->count = t->used = 0;
}

void rsd_intern_free(rsd_intern *t)
{
    free(t->entry);
    free(t->bytes);
    free(t->slot);
    *t = (rsd_intern){ 0 };
}
