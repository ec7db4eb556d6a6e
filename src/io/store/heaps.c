/* The heaps that texts of variable length lie in.  They have no checksum, and HDF5 1.10 believes
 * the sizes that stand in them: a damaged one ends the program.  So they are walked before HDF5
 * reads any of them. */
#include "io/file.h"
#include "io/store/handle.h"

#include <string.h>

/* Layout of a global heap collection (HDF5 File Format Specification, III.E): signature, version,
 * three zeros, size; then objects of a head (index, count of references, zeros, size) and data up
 * to the next multiple of 8.  Index 0 is what is free, its size includes the head. */
enum { HEAD = 16, INDEX_FREE = 0 };
static const char signature[] = "GCOL\1\0\0"; /* with its NUL: eight bytes */

static uint64_t number_at(const uint8_t *p, size_t bytes)
{
    uint64_t x = 0;
    for (size_t i = bytes; i-- > 0;)
        x = x << 8 | p[i];
    return x;
}

/* Do the objects of the collection of `size` bytes fill it without leaving it? */
static bool holds_together(const uint8_t *heap, size_t size)
{
    size_t at = HEAD;
    while (size - at >= HEAD) {
        const uint64_t index = number_at(heap + at, 2), bytes = number_at(heap + at + 8, 8);
        if (bytes > size - at)
            return false;
        if (index == INDEX_FREE)
            return bytes >= HEAD;
        const size_t taken = HEAD + (size_t)(bytes + 7) / 8 * 8;
        if (taken > size - at)
            return false;
        at += taken;
    }
    return true;
}

int rsd_store_check_heaps(const char *path)
{
    rsd_map map;
    int err = RSD_OK;
    RSD_TRY(rsd_map_open(path, &map));
    const uint8_t *heap = map.data, *end = map.data + map.size;
    while (!err && heap &&
           (heap = memmem(heap, (size_t)(end - heap), signature, sizeof signature))) {
        const size_t left = (size_t)(end - heap);
        const uint64_t size = left >= HEAD ? number_at(heap + 8, 8) : 0;
        if (size < HEAD || size > left || !holds_together(heap, (size_t)size))
            err = RSD_FAIL(RSD_EFORMAT,
                           "%s: damaged: the texts at byte %zu do not fit their %llu bytes", path,
                           (size_t)(heap - map.data), (unsigned long long)size);
        heap += sizeof signature;
    }
    rsd_map_close(&map);
    return err;
}
