/* One pass over the tokens: moments are collected, written, and their spectra taken. */
#include "calibrate/collection.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "mat.h"
#include "par.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void progress(void *context, size_t done)
{
    (void)done;
    console_progress_step("", (double)((const collection *)context)->stream.batch);
}

static bool should_stop(void *context)
{
    (void)context;
    return stop_requested();
}

static int collect(collection *c, size_t pass)
{
    size_t done;
    memset(c->moments, 0, c->weights->shape.layers * sizeof *c->moments);
    c->measured_count = 0;
    for (size_t i = 0; i < c->units; i++) {
        unit *u = &c->unit[i];
        const layer *l = &c->layer[u->layer];
        if (u->pass != pass)
            continue;
        RSD_TRY(rsd_moment_alloc(u->n, &u->c.moment));
        rsd_block_moments *b = &c->moments[l->block];
        *(*u->what == 'H' ? &b->H[l->slot] : &b->G[l->slot]) = &u->c.moment;
        c->measured[c->measured_count++] = i;
    }
    const rsd_calibrate_job job = {
        .model = c->pass,
        .block = c->moments,
        .layers = c->weights->shape.layers,
        .tokens = c->stream.tokens,
        .context = c->stream.context,
        .windows = c->stream.windows,
        .batch = c->stream.batch,
        .empirical = c->params->empirical,
        .seed = c->params->common.seed,
        .progress = progress,
        .stop = should_stop,
        .callback_context = c,
    };
    RSD_TRY(rsd_calibrate(&job, &done));
    if (done == c->stream.windows)
        return RSD_OK;
    console_note("stopped after %zu of %zu windows; nothing is written", done, c->stream.windows);
    return RSD_ESTOPPED;
}

static char *unit_path(const collection *c, const unit *u, size_t of_layer)
{
    char *path;
    return asprintf(&path, "%s/%s", c->layer[of_layer].path, u->what) < 0 ? NULL : path;
}

static int write_moment(collection *c, unit *u)
{
    const int finished = rsd_moment_finish(&u->c.moment);
    if (finished)
        return rsd_fail_prefix(finished, "%s of %s", u->what, c->layer[u->layer].tensor->name);
    char *path = unit_path(c, u, u->layer);
    const int err = path ? moment_group_write_moment(c->file.to, path, &u->c)
                         : RSD_FAIL(RSD_ENOMEM, "path of a moment");
    free(path);
    return err;
}

/* For the layer itself, and for those that share its input. */
static int write_spectrum(collection *c, const unit *u)
{
    char *own = unit_path(c, u, u->layer);
    int err = own ? moment_group_write_spectrum(c->file.to, own, &u->c, NULL)
                  : RSD_FAIL(RSD_ENOMEM, "path of a moment");
    for (size_t i = u->layer + 1; !err && *u->what == 'H' && i < c->layers; i++) {
        if (c->layer[i].leader != u->layer)
            continue;
        char *path = unit_path(c, u, i);
        err = path ? moment_group_write_spectrum(c->file.to, path, &u->c, own)
                   : RSD_FAIL(RSD_ENOMEM, "path of a moment");
        free(path);
    }
    free(own);
    return err;
}

static size_t unit_bytes(void *context, size_t i)
{
    (void)context;
    (void)i;
    return 0; /* what it takes is there already */
}

static void measure_unit(void *context, size_t i)
{
    collection *c = context;
    unit *u = &c->unit[c->measured[i]];
    u->code = moment_spectrum_compute(&u->c);
    if (u->code)
        snprintf(u->message, sizeof u->message, "%s", rsd_errmsg());
}

/* Matrices are written before their eigenvalues are computed, which destroys them: no second copy
 * is needed. */
int calibrate_pass(collection *c, size_t pass)
{
    RSD_TRY(collect(c, pass));
    const rsd_par_work work = { .count = c->measured_count,
                                .bytes = unit_bytes,
                                .run = measure_unit,
                                .context = c,
                                .budget = SIZE_MAX };
    for (size_t i = 0; i < c->measured_count; i++)
        RSD_TRY(write_moment(c, &c->unit[c->measured[i]]));
    RSD_TRY(rsd_par_each(&work));
    for (size_t i = 0; i < c->measured_count; i++) {
        unit *u = &c->unit[c->measured[i]];
        if (u->code)
            return RSD_FAIL(u->code, "%s of %s: %s", u->what, c->layer[u->layer].tensor->name,
                            u->message);
        RSD_TRY(write_spectrum(c, u));
        rsd_moment_free(&u->c.moment);
    }
    return RSD_OK;
}
