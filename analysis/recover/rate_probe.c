/* --lr-probe: some rates are tried for a few steps each, a whole training with its rise and fall in
 * small, and set against each other on the training windows that are held out. */
#include "cli/console.h"
#include "cli/stop.h"
#include "recover/losses.h"
#include "recover/train_state.h"
#include "train/rates.h"

#include <math.h>
#include <string.h>

enum { PROBE_STEPS = 10 };

static void back_to_start(const student *s)
{
    memcpy(s->adapters.memory, s->start.memory, s->adapters.count * sizeof *s->start.memory);
}

static int run_probe(student *s, const rsd_recover_options *o, double *loss)
{
    rsd_recover *trainer = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_recover_alloc(s->pass, s->hook, &s->adapters, &s->grad, s->sweep->teacher,
                                   s->sweep->train.tokens, o, &trainer));
    for (size_t i = 0; i < o->schedule.steps; i++) {
        rsd_step step;
        if (stop_requested())
            RSD_TRY_DONE(RSD_FAIL(RSD_ESTOPPED, "stopped while rates were tried"));
        RSD_TRY_DONE(rsd_recover_step(trainer, &step));
    }
    err = student_held_out(s, loss);
done:
    rsd_recover_free(trainer);
    return err;
}

int training_probe(const training *t)
{
    student *s = t->s;
    const size_t steps = t->n->steps < PROBE_STEPS ? t->n->steps : PROBE_STEPS;
    double least = INFINITY;
    for (size_t k = 0; k < t->n->lr_probe; k++) {
        const double rate = rsd_rate_probe(s->rate, k);
        const rsd_recover_options o = training_options(s, steps, rate);
        double loss = NAN;
        back_to_start(s);
        const int err = run_probe(s, &o, &loss);
        if (err && err != RSD_EDOM) /* a rate at which numbers end is one that does not do */
            return err;
        console_detail("%s: %zu steps at %g: loss %.5f on the windows held out", s->run->name,
                       steps, rate, loss);
        if (loss < least) {
            least = loss;
            t->c->peak = rate;
        }
    }
    back_to_start(s);
    return isfinite(least) ? RSD_OK
                           : RSD_FAIL(RSD_EDOM,
                                      "no rate from %g down ends with a loss that is a "
                                      "number",
                                      s->rate);
}
