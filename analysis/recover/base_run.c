/* A run without adapters: how many bytes it may have, which base that is, and its losses. */
#include "recover/base_run.h"

#include "alloc.h"
#include "cli/console.h"
#include "recover/base_choice.h"
#include "recover/losses.h"
#include "recover/run.h"

#include <math.h>
#include <stdlib.h>

/* Fewest bytes of the runs that are alike but for start and seed; 0: none is done. */
static int64_t budget_of(const sweep *s, const recover_run *base, const outcome *outcomes)
{
    int64_t least = 0;
    for (size_t i = 0; i < s->plan.runs; i++) {
        const recover_run *r = &s->plan.run[i];
        const int64_t bytes = outcomes[i].row.stored_bytes;
        if (outcomes[i].done && !r->control && !r->same_bytes && r->spec == base->spec &&
            r->variant == base->variant && r->rank == base->rank && r->factors == base->factors &&
            (!least || bytes < least))
            least = bytes;
    }
    return least;
}

bool base_run_ready(const sweep *s, const recover_run *run, const outcome *outcomes)
{
    return budget_of(s, run, outcomes) > 0;
}

static int put_base(const student *m, const recover_base *b, outcome *o)
{
    const rsd_spec *single = base_single(b);
    recovery_row *r = &o->row;
    free(r->same_bytes);
    r->same_bytes = NULL;
    RSD_TRY(rsd_copy_text(single ? single->text : "mixed", &r->same_bytes));
    r->stored_bytes = (int64_t)m->packed_bytes;
    r->bits_per_weight = r->bits_per_weight_total = 8 * m->packed_bytes / m->quantized;
    r->bf16_bytes = (int64_t)(2 * m->quantized);
    r->base_bytes = (int64_t)student_base_bytes(m);
    r->weight_error = sqrt(m->error / m->norm);
    r->loss_probe = b->probe;
    return base_map_text(b, &o->map);
}

int base_run(sweep *s, references *refs, const recover_run *run, const outcome *outcomes,
             outcome *o)
{
    recover_run as = *run;
    recover_base b = { 0 };
    student m = { 0 };
    int err = RSD_OK;
    o->row.budget_bytes = budget_of(s, run, outcomes);
    RSD_TRY_DONE(references_put(s, refs, run, o));
    RSD_TRY_DONE(base_choose(s, run, (double)o->row.budget_bytes, &b));
    as.base = &b;
    RSD_TRY_DONE(student_make(s, &as, STUDENT_PLAIN, &m));
    RSD_TRY_DONE(student_all_losses(&m, &o->trained, &o->second));
    RSD_TRY_DONE(put_base(&m, &b, o));
    RSD_TRY_DONE(menu_text(&s->menu, run->spec, &s->plan.specs, &o->candidates));
    err = run_put_losses(s, o);
done:
    student_free(&m);
    base_choice_free(&b);
    return err;
}
