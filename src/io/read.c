#include "io/read.h"

#include <assert.h>
#include <stdlib.h>

/* Bytes read before their pages are given back: large enough that the system call, which must tell
 * every core that runs a thread of ours, is rare. */
enum { WINDOW = 4 << 20 };

/* File rows turned at once: 16 floats are the cache line that each row of W gets of them. */
enum { STRIP = 16 };

/* Where the reading is: bytes [begin, at) were read and are still resident. */
typedef struct {
    const rsd_map *map;
    rsd_dtype type;
    size_t begin, at;
} window;

static void release(window *w)
{
    rsd_map_release(w->map, w->begin, w->at - w->begin);
    w->begin = w->at;
}

/* The next n values. */
static void take(window *w, float *x, size_t n)
{
    const size_t size = rsd_dtype_bytes(w->type);
    while (n) {
        const size_t k = n < WINDOW / size ? n : WINDOW / size;
        rsd_dtype_to_f32(w->type, w->map->data + w->at, x, k);
        w->at += k * size;
        x += k;
        n -= k;
        if (w->at - w->begin >= WINDOW)
            release(w);
    }
}

/* The range was checked against the map, the file behind it may have changed since. */
static int start(const rsd_map *map, size_t offset, rsd_dtype t, size_t n, window *w)
{
    assert(offset <= map->size && n <= (map->size - offset) / rsd_dtype_bytes(t));
    *w = (window){ map, t, offset, offset };
    return rsd_map_check(map);
}

int rsd_read_flat(const rsd_map *map, size_t offset, rsd_dtype t, size_t n, float *x)
{
    window w;
    RSD_TRY(start(map, offset, t, n, &w));
    take(&w, x, n);
    release(&w);
    return RSD_OK;
}

int rsd_read_matrix(const rsd_map *map, size_t offset, rsd_dtype t, rsd_mat W)
{
    window w;
    RSD_TRY(start(map, offset, t, W.m * W.n, &w));
    for (size_t i = 0; i < W.m; i++)
        take(&w, W.x + i * W.ld, W.n);
    release(&w);
    return RSD_OK;
}

int rsd_read_transposed(const rsd_map *map, size_t offset, rsd_dtype t, rsd_mat W)
{
    window w;
    float *strip;
    const size_t tall = W.n < STRIP ? W.n : STRIP;
    RSD_TRY(start(map, offset, t, W.m * W.n, &w));
    RSD_TRY(rsd_array_alloc(tall, W.m, sizeof *strip, &strip));
    for (size_t j = 0; j < W.n; j += tall) {
        const size_t k = W.n - j < tall ? W.n - j : tall;
        take(&w, strip, k * W.m);
        for (size_t i = 0; i < W.m; i++)
            for (size_t c = 0; c < k; c++)
                W.x[i * W.ld + j + c] = strip[c * W.m + i];
    }
    free(strip);
    release(&w);
    return RSD_OK;
}
