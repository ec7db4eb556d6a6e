/* Byte strings numbered 0, 1, 2 ... in the order in which they were first seen: a hash table whose
 * values live in the caller's arrays, indexed by that number. */
#ifndef RSD_IO_INTERN_H
#define RSD_IO_INTERN_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

/* All zero is empty.  Free with rsd_intern_free. */
typedef struct {
    struct rsd_intern_entry {
        uint64_t hash;
        size_t offset, n; /* its bytes, in bytes[] */
    } * entry;
    uint8_t *bytes;
    uint32_t *slot; /* slots entries, a power of two; 0: free, else number + 1 */
    size_t count, slots, used, entry_capacity, byte_capacity;
} rsd_intern;

enum { RSD_INTERN_NONE = -1 };

/* The number of key[n], or RSD_INTERN_NONE. */
ptrdiff_t rsd_intern_find(const rsd_intern *t, const void *key, size_t n);
/* Its number, a new one (t->count before the call) where it was not seen yet.
 * Errors: RSD_ENOMEM; at most 2^31 strings. */
RSD_CHECK int rsd_intern_add(rsd_intern *t, const void *key, size_t n, size_t *number);

/* The bytes of string number i; valid until the next one is added. */
const uint8_t *rsd_intern_key(const rsd_intern *t, size_t i, size_t *n);

/* Forget all strings, keep the memory. */
void rsd_intern_clear(rsd_intern *t);
void rsd_intern_free(rsd_intern *t);

#endif
