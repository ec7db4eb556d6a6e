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
    *c = (curves){ .best = INFINITY, .kept_loss = NAN, .peak = NAN };
    c->most_evals = 2 + (n->eval_every ? n->steps / n->eval_every : 0);
    RSD_TRY(rsd_array_alloc(n->steps, 1, sizeof *c->train_loss, &c->train_loss));
    RSD_TRY(rsd_array_alloc(n->steps, 1, sizeof *c->rate, &c->rate));
    RSD_TRY(rsd_array_alloc(c->most_evals, 1, sizeof *c->eval_step, &c->eval_step));
    RSD_TRY(rsd_array_alloc(c->most_evals, 1, sizeof *c->eval_loss, &c->eval_loss));
    RSD_TRY(rsd_array_alloc(c->most_evals, 1, sizeof *c->held_step, &c->held_step));
    return rsd_array_alloc(c->most_evals, 1, sizeof *c->held_loss, &c->held_loss);
}

void curves_free(curves *c)
{
    free(c->train_loss);
    free(c->rate);
    free(c->eval_step);
    free(c->eval_loss);
    free(c->held_step);
    free(c->held_loss);
    *c = (curves){ 0 };
}

enum { HEAD = 5, ARRAYS = 6 }; /* numbers before the arrays, and how many of these there are */

typedef struct {
    double *x;
    size_t n;
} array;

static void list_arrays(const curves *c, array out[ARRAYS])
{
    const array list[ARRAYS] = { { c->train_loss, c->steps }, { c->rate, c->steps },
                                 { c->eval_step, c->evals },  { c->eval_loss, c->evals },
                                 { c->held_step, c->looks },  { c->held_loss, c->looks } };
    memcpy(out, list, sizeof list);
}

/* The curves are written before the adapters, and are cut to the adapters' step when both are read:
 * whatever instant the process is killed at, they agree. */
static int write_curves(const training *t)
{
    const curves *c = t->c;
    const double head[HEAD] = { (double)c->steps, (double)c->evals, (double)c->looks, c->peak,
                                c->seconds };
    array arrays[ARRAYS];
    rsd_writer w;
    int err = rsd_writer_open(t->curve, &w);
    if (!err)
        err = rsd_writer_put(&w, t->identity, 64);
    if (!err)
        err = rsd_writer_put(&w, head, sizeof head);
    list_arrays(c, arrays);
    for (size_t i = 0; !err && i < ARRAYS; i++)
        err = rsd_writer_put(&w, arrays[i].x, arrays[i].n * sizeof(double));
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
    curves read = *t->c;
    array arrays[ARRAYS];
    double head[HEAD];
    if (map->size < 64 + sizeof head || memcmp(map->data, t->identity, 64) != 0)
        return false;
    memcpy(head, map->data + 64, sizeof head);
    const double most = (double)read.most_evals;
    if (!(head[0] >= 0 && head[0] <= (double)t->n->steps && head[1] >= 0 && head[1] <= most &&
          head[2] >= 0 && head[2] <= most && head[3] >= 0))
        return false;
    read.steps = (size_t)head[0];
    read.evals = (size_t)head[1];
    read.looks = (size_t)head[2];
    read.peak = head[3];
    read.seconds = head[4];
    if (map->size != 64 + sizeof head + 2 * (read.steps + read.evals + read.looks) * sizeof(double))
        return false;
    const uint8_t *at = map->data + 64 + sizeof head;
    list_arrays(&read, arrays);
    for (size_t i = 0; i < ARRAYS; i++) {
        memcpy(arrays[i].x, at, arrays[i].n * sizeof(double));
        at += arrays[i].n * sizeof(double);
    }
    *t->c = read;
    return true;
}

bool training_find_curves(const training *t)
{
    rsd_map map;
    if (!t->curve || access(t->curve, F_OK) != 0 || rsd_map_open(t->curve, &map))
        return false;
    const bool taken = take_curves(t, &map);
    rsd_map_close(&map);
    return taken;
}

void training_resume(const training *t)
{
    curves *c = t->c;
    const int err = rsd_recover_read(t->s->trainer, t->identity, t->state);
    const size_t steps = err ? 0 : rsd_recover_steps(t->s->trainer);
    if (err || steps > c->steps) {
        console_detail("%s: begun anew (%s)", t->s->run->name,
                       err ? rsd_errmsg() : "its curves are older than its state");
        c->steps = c->evals = c->looks = 0;
        c->seconds = 0;
        return;
    }
    c->seconds *= c->steps ? (double)steps / (double)c->steps : 1;
    c->steps = steps;
    while (c->evals && c->eval_step[c->evals - 1] > (double)steps)
        c->evals--;
    while (c->looks && c->held_step[c->looks - 1] > (double)steps)
        c->looks--;
    note_best(c);
    console_note("%s: going on after step %zu of %zu", t->s->run->name, steps, t->n->steps);
}

void recover_forget_state(const char *state)
{
    static const char *const suffix[] = { "state", "curves" };
    char path[4096];
    for (size_t i = 0; state && i < sizeof suffix / sizeof *suffix; i++) {
        snprintf(path, sizeof path, "%s.%s", state, suffix[i]);
        unlink(path);
    }
}
