/* Choosing a base within a budget: candidates by what is predicted, the best of them by a pass. */
#include "recover/base_choice.h"

#include "alloc.h"
#include "cli/console.h"
#include "mat.h"
#include "quantize/budget.h"
#include "recover/losses.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SINGLES = 3 }; /* quantizers that are run over training windows for one budget */

/* ---- a base ---- */

static int base_alloc(const menu *m, recover_base *b)
{
    *b = (recover_base){ .count = m->tensors, .probe = NAN };
    RSD_TRY(rsd_array_alloc(m->tensors + 1, 1, sizeof *b->tensor, &b->tensor));
    RSD_TRY(rsd_array_alloc(m->tensors + 1, 1, sizeof *b->spec, &b->spec));
    for (size_t i = 0; i < m->tensors; i++)
        b->tensor[i] = m->item[i].tensor;
    return RSD_OK;
}

void base_choice_free(recover_base *b)
{
    free(b->tensor);
    free(b->spec);
    *b = (recover_base){ 0 };
}

static void put_spec(const menu *m, size_t i, size_t c, recover_base *b)
{
    b->spec[i] = &m->spec[c];
    b->bytes += m->item[i].option[c].cost;
    b->loss += m->item[i].option[c].loss;
}

const rsd_spec *base_spec_of(const recover_base *b, const rsd_tensor *t)
{
    for (size_t i = 0; i < b->count; i++)
        if (b->tensor[i] == t)
            return b->spec[i];
    return NULL;
}

const rsd_spec *base_single(const recover_base *b)
{
    for (size_t i = 1; i < b->count; i++)
        if (b->spec[i] != b->spec[0])
            return NULL;
    return b->count ? b->spec[0] : NULL;
}

int base_map_text(const recover_base *b, char **out)
{
    size_t size;
    int err = RSD_OK;
    FILE *f = open_memstream(out, &size);
    if (!f)
        return RSD_FAIL(RSD_ENOMEM, "map of a base");
    for (size_t i = 0; i < b->count && !err; i++) {
        char *glob = NULL;
        err = budget_glob(b->tensor[i]->name, &glob);
        fprintf(f, "%s=%s\n", glob ? glob : "", b->spec[i]->text);
        free(glob);
    }
    if (fclose(f) == 0 && !err)
        return RSD_OK;
    free(*out);
    *out = NULL;
    return RSD_FAIL(RSD_ENOMEM, "map of a base");
}

/* ---- candidates ---- */

typedef struct {
    size_t c; /* of the menu */
    double bytes, loss;
} single;

static int by_loss(const void *a, const void *b)
{
    const single *p = a, *q = b;
    if (p->loss != q->loss)
        return p->loss < q->loss ? -1 : 1;
    if (p->bytes != q->bytes)
        return p->bytes < q->bytes ? -1 : 1;
    return p->c < q->c ? -1 : p->c > q->c;
}

/* The quantizers of the run's menu with what they make of all matrices, the least loss first. */
static int list_singles(const sweep *s, const recover_run *run, single *out, size_t *count)
{
    const menu *m = &s->menu;
    *count = 0;
    for (size_t c = 0; c < m->specs; c++) {
        single x = { .c = c };
        if (!menu_allows(m, run->spec, &s->plan.specs, c))
            continue;
        for (size_t i = 0; i < m->tensors; i++) {
            x.bytes += m->item[i].option[c].cost;
            x.loss += m->item[i].option[c].loss;
        }
        out[(*count)++] = x;
    }
    if (*count == 0)
        return RSD_FAIL(RSD_EARG, "there is no quantizer to choose a base from");
    qsort(out, *count, sizeof *out, by_loss);
    return RSD_OK;
}

/* Matrix by matrix, among the same. */
static int choose_mixed(const menu *m, const single *of, size_t count, double budget,
                        recover_base *out)
{
    rsd_options *layer = NULL;
    rsd_option *option = NULL;
    size_t *chosen = NULL;
    rsd_allocation a;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(m->tensors + 1, 1, sizeof *layer, &layer));
    RSD_TRY_DONE(rsd_array_alloc(m->tensors + 1, 1, sizeof *chosen, &chosen));
    RSD_TRY_DONE(rsd_array_alloc(m->tensors + 1, count, sizeof *option, &option));
    for (size_t i = 0; i < m->tensors; i++) {
        layer[i] = (rsd_options){ count, option + i * count };
        for (size_t k = 0; k < count; k++)
            option[i * count + k] = m->item[i].option[of[k].c];
    }
    RSD_TRY_DONE(rsd_allocate(layer, m->tensors, budget, chosen, &a));
    RSD_TRY_DONE(base_alloc(m, out));
    for (size_t i = 0; i < m->tensors; i++)
        put_spec(m, i, of[chosen[i]].c, out);
done:
    free(option);
    free(chosen);
    free(layer);
    return err;
}

static int make_single(const menu *m, size_t c, recover_base *out)
{
    RSD_TRY(base_alloc(m, out));
    for (size_t i = 0; i < m->tensors; i++)
        put_spec(m, i, c, out);
    return RSD_OK;
}

/* ---- a pass ---- */

static int probe(const sweep *s, const recover_run *run, recover_base *b)
{
    recover_run as = *run;
    student plain;
    as.base = b;
    int err = student_make(s, &as, STUDENT_PLAIN, &plain);
    if (!err)
        err = student_probe(&plain, &b->probe);
    student_free(&plain);
    return err;
}

/* The same quantizer may fit many budgets. */
static int probe_single(const sweep *s, menu *m, const recover_run *run, size_t c, recover_base *b)
{
    if (isnan(m->probe[c])) {
        RSD_TRY(probe(s, run, b));
        m->probe[c] = b->probe;
    }
    b->probe = m->probe[c];
    return RSD_OK;
}

/* The better of both is kept, the other freed. */
static void keep_better(recover_base *best, recover_base *b)
{
    if (!best->count || b->probe < best->probe) {
        const recover_base less = *best;
        *best = *b;
        *b = less;
    }
    base_choice_free(b);
}

static int try_singles(const sweep *s, menu *m, const recover_run *run, double budget,
                       const single *of, size_t count, recover_base *best)
{
    size_t tried = 0;
    for (size_t k = 0; k < count && tried < SINGLES; k++) {
        recover_base b = { 0 };
        if (of[k].bytes > budget)
            continue;
        int err = make_single(m, of[k].c, &b);
        if (!err)
            err = probe_single(s, m, run, of[k].c, &b);
        if (err) {
            base_choice_free(&b);
            return err;
        }
        console_detail("%s: %s, %.0f bytes, loss %.5f on training windows", run->name,
                       b.spec[0]->text, b.bytes, b.probe);
        keep_better(best, &b);
        tried++;
    }
    return RSD_OK;
}

static int try_mixed(const sweep *s, const menu *m, const recover_run *run, double budget,
                     const single *of, size_t count, recover_base *best)
{
    recover_base b = { 0 };
    int err = choose_mixed(m, of, count, budget, &b);
    if (!err && !base_single(&b))
        err = probe(s, run, &b);
    if (!err && !base_single(&b)) {
        console_detail("%s: mixed, %.0f bytes, loss %.5f on training windows", run->name, b.bytes,
                       b.probe);
        keep_better(best, &b);
    }
    base_choice_free(&b);
    return err;
}

/* ---- the choice ---- */

/* The matrices that runs of this sweep quantize. */
static int list_tensors(const sweep *s, const recover_run *run, const rsd_tensor ***out,
                        size_t *count)
{
    rsd_weights *frame;
    *count = 0;
    RSD_TRY(rsd_weights_load_frame(s->model, &frame));
    const int err = rsd_array_alloc(frame->shape.layers * RSD_LINEARS + 1, 1, sizeof **out, out);
    for (size_t i = 0; !err && i < frame->shape.layers * RSD_LINEARS; i++) {
        const rsd_tensor *t = frame->block[i / RSD_LINEARS].tensor[i % RSD_LINEARS];
        if (t && recover_spec_for(&s->plan, run, &s->params->select, s->model, t))
            (*out)[(*count)++] = t;
    }
    rsd_weights_free(frame);
    return err;
}

static int try_menu(sweep *s, const recover_run *run)
{
    const rsd_tensor **tensor = NULL;
    size_t tensors;
    int err = list_tensors(s, run, &tensor, &tensors);
    if (!err)
        err = menu_try(&s->menu, s->model, &s->calibration, tensor, tensors);
    free(tensor);
    return err;
}

int base_choose(sweep *s, const recover_run *run, double budget, recover_base *out)
{
    menu *m = &s->menu;
    single *of = NULL;
    size_t count;
    double least = INFINITY;
    int err = RSD_OK;
    *out = (recover_base){ 0 };
    RSD_TRY_DONE(try_menu(s, run));
    RSD_TRY_DONE(rsd_array_alloc(m->specs + 1, 1, sizeof *of, &of));
    RSD_TRY_DONE(list_singles(s, run, of, &count));
    for (size_t k = 0; k < count; k++)
        least = fmin(least, of[k].bytes);
    if (least > budget) {
        err = RSD_FAIL(RSD_EARG, "no base fits %.0f bytes: the smallest takes %.0f", budget, least);
        goto done;
    }
    RSD_TRY_DONE(try_singles(s, m, run, budget, of, count, out));
    if (m->predicted)
        err = try_mixed(s, m, run, budget, of, count, out);
done:
    free(of);
    return err;
}
