/* One pass over the tokens: moments are collected, written, and their spectra taken. */
#include "alloc.h"
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
    collection *c = context;
    console_progress_step("", (double)c->stream.batch);
    if (done - c->saved < c->params->checkpoint_every || done == c->stream.windows)
        return;
    c->save_code = state_write(c, done);
    c->saved = done;
}

static bool should_stop(void *context)
{
    return stop_requested() || ((const collection *)context)->save_code;
}

/* Zero the pass' moments, and say where each block's are. */
static int begin(collection *c, size_t pass)
{
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
    return RSD_OK;
}

/* A run that is stopped leaves its state; batches begin where they would have. */
static int collect(collection *c, size_t pass)
{
    size_t done;
    RSD_TRY(begin(c, pass));
    RSD_TRY(state_read(c, &c->saved));
    if (c->saved)
        console_note("%zu of %zu windows are done already", c->saved, c->stream.windows);
    const rsd_calibrate_job job = {
        .model = c->pass,
        .block = c->moments,
        .layers = c->weights->shape.layers,
        .tokens = c->stream.tokens,
        .context = c->stream.context,
        .first = c->saved,
        .windows = c->stream.windows,
        .batch = c->stream.batch,
        .empirical = c->params->empirical,
        .seed = c->params->common.seed,
        .progress = progress,
        .stop = should_stop,
        .callback_context = c,
    };
    RSD_TRY(rsd_calibrate(&job, &done));
    if (c->save_code)
        return RSD_FAIL(c->save_code, "%s", rsd_errmsg());
    if (done == c->stream.windows)
        return RSD_OK;
    if (done > c->saved)
        RSD_TRY(state_write(c, done));
    console_note("stopped after %zu of %zu windows; the same command goes on", done,
                 c->stream.windows);
    return RSD_ESTOPPED;
}

static char *unit_path(const collection *c, const unit *u, size_t of_layer)
{
    char *path;
    return rsd_format(&path, "%s/%s", c->layer[of_layer].path, u->what) ? NULL : path;
}

static int write_moment(const collection *c, rsd_store *to, unit *u)
{
    const int finished = rsd_moment_finish(&u->c.moment);
    if (finished)
        return rsd_fail_prefix(finished, "%s of %s", u->what, c->layer[u->layer].tensor->name);
    char *path = unit_path(c, u, u->layer);
    const int err = path ? moment_group_write_moment(to, path, &u->c)
                         : RSD_FAIL(RSD_ENOMEM, "path of a moment");
    free(path);
    return err;
}

/* For the layer itself, and for those that share its input. */
static int write_spectrum(const collection *c, rsd_store *to, const unit *u)
{
    char *own = unit_path(c, u, u->layer);
    int err = own ? moment_group_write_spectrum(to, own, &u->c, NULL)
                  : RSD_FAIL(RSD_ENOMEM, "path of a moment");
    for (size_t i = u->layer + 1; !err && *u->what == 'H' && i < c->layers; i++) {
        if (c->layer[i].leader != u->layer)
            continue;
        char *path = unit_path(c, u, i);
        err = path ? moment_group_write_spectrum(to, path, &u->c, own)
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
static int fill(rsd_store *to, void *context)
{
    collection *c = context;
    const rsd_par_work work = { .count = c->measured_count,
                                .bytes = unit_bytes,
                                .run = measure_unit,
                                .context = c,
                                .budget = SIZE_MAX };
    RSD_TRY(calibrate_write_about(c, to));
    for (size_t i = 0; i < c->measured_count; i++)
        RSD_TRY(write_moment(c, to, &c->unit[c->measured[i]]));
    RSD_TRY(rsd_par_each(&work));
    for (size_t i = 0; i < c->measured_count; i++) {
        unit *u = &c->unit[c->measured[i]];
        if (u->code)
            return RSD_FAIL(u->code, "%s of %s: %s", u->what, c->layer[u->layer].tensor->name,
                            u->message);
        RSD_TRY(write_spectrum(c, to, u));
        rsd_moment_free(&u->c.moment);
    }
    return RSD_OK;
}

int calibrate_pass(collection *c, size_t pass)
{
    RSD_TRY(collect(c, pass));
    RSD_TRY(parts_put(c->parts, NULL, fill, c));
    state_forget(c);
    return RSD_OK;
}
