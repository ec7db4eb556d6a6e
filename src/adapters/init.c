#include "adapters/init.h"

#include "adapters/untrained.h"

#include <math.h>

#define ENTRY(name) extern const rsd_init rsd_init_##name;
#include "adapters/list.h"
#undef ENTRY

const rsd_init *const rsd_inits[] = {
#define ENTRY(name) &rsd_init_##name,
#include "adapters/list.h"
#undef ENTRY
    NULL
};

static bool entry(size_t i, rsd_registry_entry *out)
{
    const rsd_init *t = rsd_inits[i];
    if (t)
        *out = (rsd_registry_entry){ t->name,        t->options, t->defaults,
                                     t->params_size, t->aliases, NULL };
    return t;
}

static const rsd_registry registry = { "initialisation", entry };

size_t rsd_init_item(const char *list) { return rsd_registry_item(&registry, list); }

int rsd_init_parse(const char *text, rsd_init_spec *out)
{
    size_t index;
    RSD_TRY(rsd_registry_parse(&registry, text, &index, out->params, out->text));
    out->init = rsd_inits[index];
    return RSD_OK;
}

bool rsd_init_moves_base(const rsd_init_spec *spec)
{
    return spec->init->moves_base && spec->init->moves_base(spec->params);
}

static int check_shapes(const rsd_init_task *task, const rsd_init_result *out)
{
    const size_t m = task->W.m, n = task->W.n, r = task->rank;
    if (!m || !n)
        return RSD_FAIL(RSD_EARG, "a %zu x %zu matrix has nothing to adapt", m, n);
    if (!r || r > m || r > n)
        return RSD_FAIL(RSD_EARG, "rank %zu of a %zu x %zu matrix", r, m, n);
    if (out->Wq.m != m || out->Wq.n != n || out->B.m != m || out->B.n != r || out->A.m != r ||
        out->A.n != n)
        return RSD_FAIL(RSD_EARG,
                        "a %zu x %zu matrix and rank %zu, but %zu x %zu for Wq, %zu x %zu "
                        "for B, %zu x %zu for A",
                        m, n, r, out->Wq.m, out->Wq.n, out->B.m, out->B.n, out->A.m, out->A.n);
    if (!(task->damping >= 0) || isinf(task->damping))
        return RSD_FAIL(RSD_EARG, "damping %g", task->damping);
    return RSD_OK;
}

static int check_calibration(const rsd_init_spec *spec, const rsd_init_task *task)
{
    const rsd_calibration *c = task->calibration;
    if (!c && spec->init->calibration == RSD_CALIBRATION_NEEDS)
        return RSD_FAIL(RSD_EUSAGE,
                        "%s needs a calibration: residuum calibrate, then "
                        "--calibration FILE.h5",
                        spec->text);
    if (c && (c->m != task->W.m || c->n != task->W.n))
        return RSD_FAIL(RSD_EARG, "a %zu x %zu matrix, but calibration of one of %zu x %zu",
                        task->W.m, task->W.n, c->m, c->n);
    if ((task->H && task->H->n != task->W.n) || (task->G && task->G->n != task->W.m))
        return RSD_FAIL(RSD_EARG, "a %zu x %zu matrix, but axes of %zu outputs, %zu inputs",
                        task->W.m, task->W.n, task->G ? task->G->n : 0, task->H ? task->H->n : 0);
    return RSD_OK;
}

int rsd_init_start(const rsd_init_spec *spec, const rsd_init_task *task, rsd_init_result *out)
{
    out->packed = (rsd_packed){ 0 };
    out->stats = (rsd_quant_stats){ 0 };
    out->clamped = out->steps = 0;
    RSD_TRY(check_shapes(task, out));
    RSD_TRY(check_calibration(spec, task));
    RSD_TRY(rsd_mat_check_finite(task->W));
    RSD_TRY(spec->init->start(spec->params, task, out));
    RSD_TRY(rsd_mat_check_finite(out->B));
    RSD_TRY(rsd_mat_check_finite(out->A));
    return rsd_init_revive(task, out);
}
