/* The state of a run's training: from what is on disk a killed process goes on. */
#include "recover/train_state.h"

#include "cli/console.h"
#include "io/file.h"
#include "mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int curves_alloc(const recover_numbers *n, curves *c)
{
    *c = (curves){ .best = INFINITY };
    c->most_evals = 2 + (n->eval_every ? n->steps / n->eval_every : 0);
    RSD_TRY(rsd_array_alloc(n->steps, 1, sizeof *c->train_loss, &c->train_loss));
    RSD_TRY(rsd_array_alloc(n->steps, 1, sizeof *c->rate, &c->rate));
    RSD_TRY(rsd_array_alloc(c->most_evals, 1, sizeof *c->eval_step, &c->eval_step));
    return rsd_array_alloc(c->most_evals, 1, sizeof *c->eval_loss, &c->eval_loss);
}

void curves_free(curves *c)
{
    free(c->train_loss);
    free(c->rate);
    free(c->eval_step);
    free(c->eval_loss);
    *c = (curves){ 0 };
}

/* The curves are written before the adapters, and are cut to the adapters' step when both are read:
 * whatever instant the process is killed at, they agree. */
static int write_curves(const training *t)
{
    const curves *c = t->c;
    const double head[] = { (double)c->steps, (double)c->evals, c->seconds };
    rsd_writer w;
    int err = rsd_writer_open(t->curve, &w);
    if (!err)
        err = rsd_writer_put(&w, t->identity, 64);
    if (!err)
        err = rsd_writer_put(&w, head, sizeof head);
    const struct {
        const double *x;
        size_t n;
    } part[] = { { c->train_loss, c->steps },
                 { c->rate, c->steps },
                 { c->eval_step, c->evals },
                 { c->eval_loss, c->evals } };
    for (size_t i = 0; !err && i < sizeof part / sizeof *part; i++)
        err = rsd_writer_put(&w, part[i].x, part[i].n * sizeof(double));
    if (err) {
        rsd_writer_abandon(&w);
        return err;
    }
    return rsd_writer_commit(&w);
}

int training_write_state(const training *t)
{
    if (!t->state)
        return RSD_OK;
    RSD_TRY(write_curves(t));
    return rsd_recover_write(t->s->trainer, t->identity, t->state);
}

static void note_best(curves *c)
{
    c->best = INFINITY;
    for (size_t i = 0; i < c->evals; i++)
        if (c->eval_loss[i] < c->best) {
            c->best = c->eval_loss[i];
            c->best_step = (size_t)c->eval_step[i];
        }
}

/* Take the bytes of the file apart, unless they are another training's or not whole. */
static bool take_curves(const training *t, const rsd_map *map)
{
    curves *c = t->c;
    double head[3];
    if (map->size < 64 + sizeof head || memcmp(map->data, t->identity, 64) != 0)
        return false;
    memcpy(head, map->data + 64, sizeof head);
    if (!(head[0] >= 0 && head[0] <= (double)t->n->steps && head[1] >= 0 &&
          head[1] <= (double)c->most_evals))
        return false;
    const size_t steps = (size_t)head[0], evals = (size_t)head[1];
    if (map->size != 64 + sizeof head + 2 * (steps + evals) * sizeof(double))
        return false;
    const uint8_t *at = map->data + 64 + sizeof head;
    double *const part[] = { c->train_loss, c->rate, c->eval_step, c->eval_loss };
    for (size_t i = 0; i < 4; i++) {
        const size_t bytes = (i < 2 ? steps : evals) * sizeof(double);
        memcpy(part[i], at, bytes);
        at += bytes;
    }
    c->steps = steps;
    c->evals = evals;
    c->seconds = head[2];
    return true;
}

static bool read_curves(const training *t)
{
    rsd_map map;
    if (access(t->curve, F_OK) != 0 || rsd_map_open(t->curve, &map))
        return false;
    const bool taken = take_curves(t, &map);
    rsd_map_close(&map);
    return taken;
}

void training_resume(const training *t)
{
    curves *c = t->c;
    if (!t->state || !read_curves(t))
        return;
    const int err = rsd_recover_read(t->s->trainer, t->identity, t->state);
    const size_t steps = err ? 0 : rsd_recover_steps(t->s->trainer);
    if (err || steps > c->steps) {
        console_detail("%s: begun anew (%s)", t->s->run->name,
                       err ? rsd_errmsg() : "its curves are older than its state");
        c->steps = c->evals = 0;
        c->seconds = 0;
        return;
    }
    c->seconds *= c->steps ? (double)steps / (double)c->steps : 1;
    c->steps = steps;
    while (c->evals && c->eval_step[c->evals - 1] > (double)steps)
        c->evals--;
    note_best(c);
    console_note("%s: going on after step %zu of %zu", t->s->run->name, steps, t->n->steps);
}

void recover_forget_state(const char *state)
{
    static const char *const suffix[] = { "state", "curves", "best" };
    char path[4096];
    for (size_t i = 0; state && i < sizeof suffix / sizeof *suffix; i++) {
        snprintf(path, sizeof path, "%s.%s", state, suffix[i]);
        unlink(path);
    }
}
