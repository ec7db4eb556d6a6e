/* Moments of a pass that is not finished: 64 digits of its identity, windows, then each moment's
 * numbers.  Read back they are the same bits, so that a run that was killed ends as one that was
 * not. */
#include "calibrate/collection.h"

#include "alloc.h"
#include "io/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the sums depend on: the model, the tokens, the options, which moments, and how windows are
 * grouped. */
static int identify(const collection *c, char hex[65])
{
    char *text = NULL, *longer;
    int err = rsd_format(&text, "%s %s %s %s batch=%zu", c->entry.sha256,
                         short_hash_of(c->entry.config).text, c->about, c->inputs, c->stream.batch);
    for (size_t i = 0; !err && i < c->measured_count; i++) {
        const unit *u = &c->unit[c->measured[i]];
        err = rsd_format(&longer, "%s %s/%s", text, c->layer[u->layer].path, u->what);
        free(text);
        text = longer;
    }
    if (!err)
        rsd_sha256(text, strlen(text), hex);
    free(text);
    return err;
}

/* The arrays of a moment: the whole square, of which the triangle is summed. */
enum { ARRAYS = 3 };
static void arrays_of(const rsd_moment *m, double *x[ARRAYS], size_t n[ARRAYS])
{
    x[0] = m->second;
    x[1] = m->mean_abs;
    x[2] = m->max_abs;
    n[0] = m->n * m->n;
    n[1] = n[2] = m->n;
}

static int put_moment(rsd_writer *w, const rsd_moment *m)
{
    double *x[ARRAYS];
    size_t n[ARRAYS];
    arrays_of(m, x, n);
    for (int k = 0; k < ARRAYS; k++)
        RSD_TRY(rsd_writer_put(w, x[k], n[k] * sizeof **x));
    return RSD_OK;
}

int state_write(const collection *c, size_t windows)
{
    char identity[65];
    const uint64_t count = windows;
    rsd_writer w;
    RSD_TRY(identify(c, identity));
    RSD_TRY(rsd_writer_open(c->state, &w));
    int err = rsd_writer_put(&w, identity, 64);
    if (!err)
        err = rsd_writer_put(&w, &count, sizeof count);
    for (size_t i = 0; !err && i < c->measured_count; i++)
        err = put_moment(&w, &c->unit[c->measured[i]].c.moment);
    if (!err)
        return rsd_writer_commit(&w);
    rsd_writer_abandon(&w);
    return err;
}

static size_t moment_bytes(const rsd_moment *m)
{
    return (m->n * m->n + 2 * m->n) * sizeof(double);
}

/* Are these the bytes of this pass' state? */
static bool is_whole(const collection *c, const rsd_map *map, const char *identity)
{
    uint64_t windows;
    size_t bytes = 64 + sizeof windows;
    for (size_t i = 0; i < c->measured_count; i++)
        bytes += moment_bytes(&c->unit[c->measured[i]].c.moment);
    if (map->size != bytes || memcmp(map->data, identity, 64) != 0)
        return false;
    memcpy(&windows, map->data + 64, sizeof windows);
    return windows < c->stream.windows && windows % c->stream.batch == 0;
}

static void take_moment(const uint8_t **at, rsd_moment *m, size_t rows)
{
    double *x[ARRAYS];
    size_t n[ARRAYS];
    arrays_of(m, x, n);
    for (int k = 0; k < ARRAYS; k++) {
        memcpy(x[k], *at, n[k] * sizeof **x);
        *at += n[k] * sizeof **x;
    }
    m->rows = rows;
}

int state_read(collection *c, size_t *windows)
{
    char identity[65];
    rsd_map map;
    uint64_t count;
    *windows = 0;
    if (access(c->state, F_OK) != 0)
        return RSD_OK;
    RSD_TRY(identify(c, identity));
    RSD_TRY(rsd_map_open(c->state, &map));
    if (is_whole(c, &map, identity)) {
        const uint8_t *at = map.data + 64 + sizeof count;
        memcpy(&count, map.data + 64, sizeof count);
        *windows = (size_t)count;
        for (size_t i = 0; i < c->measured_count; i++)
            take_moment(&at, &c->unit[c->measured[i]].c.moment, *windows * c->stream.context);
    }
    rsd_map_close(&map);
    return RSD_OK;
}

void state_forget(const collection *c)
{
    char *temporary;
    unlink(c->state);
    if (rsd_format(&temporary, "%s.tmp", c->state))
        return;
    unlink(temporary);
    free(temporary);
}
