/* Starts made one layer after the other.  The model that is corrected on the way is a copy beside
 * the student: what the student keeps of a layer is W_q and an adapter, packed or not, and rounded
 * as it will be; the copy has their sum, which is what the layers that follow must answer to. */
#include "adapters/sequence.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "mat.h"
#include "recover/layer.h"

/* Pulls targets towards W; a share of the mean eigenvalue of the inputs' moment, which a few
 * thousand tokens leave without full rank. */
static const double ridge = 0.01;

/* With fewer tokens than this for each input a target follows their noise, which can cost more than
 * the sequence gains. */
enum { TOKENS_PER_INPUT = 4 };

typedef struct {
    layer_job *job;
    size_t jobs;
} line;

/* The job of one layer.  One that is not quantized has nothing to answer with. */
static int correct(void *context, size_t layer, rsd_slot slot, rsd_mat target,
                   const rsd_calibration *of_inputs, rsd_mat W)
{
    const line *l = context;
    layer_job *j = l->job;
    while (j->layer != layer || j->slot != slot)
        j++;
    const layer_sequence q = { .target = target, .calibration = of_inputs, .corrected = W };
    const int err = layer_make(j, j->spec ? &q : NULL);
    return err ? rsd_fail_prefix(err, "%s", j->tensor->name) : RSD_OK;
}

static void note_few_tokens(const line *l, size_t tokens)
{
    size_t widest = 0;
    for (size_t i = 0; i < l->jobs; i++) {
        const size_t n = l->job[i].tensor->cols;
        widest = n > widest ? n : widest;
    }
    if (tokens < TOKENS_PER_INPUT * widest)
        console_note("--sequence: %zu tokens are few for layers of %zu inputs", tokens, widest);
}

static int run_sequence(student *s, line *l, rsd_weights *original, rsd_weights *current)
{
    const sweep *sw = s->sweep;
    const size_t held = rsd_tokens_count(sw->train.tokens), asked = sw->params->numbers.sequence;
    const rsd_sequence_job sequence = { .original = original,
                                        .current = current,
                                        .tokens = sw->train.tokens,
                                        .context = sw->train.context,
                                        .windows =
                                            (asked < held ? asked : held) / sw->train.context,
                                        .batch = sw->pass,
                                        .ridge = ridge,
                                        .correct = correct,
                                        .stop = stop_callback,
                                        .callback_context = l };
    const double started = console_seconds();
    size_t done;
    note_few_tokens(l, sequence.windows * sequence.context);
    RSD_TRY(rsd_sequence(&sequence, &done));
    if (done < l->jobs)
        return RSD_FAIL(RSD_ESTOPPED, "stopped after %zu of %zu layers", done, l->jobs);
    console_detail("%s: %zu layers corrected in sequence on %zu windows, %.1f s", s->run->name,
                   done, sequence.windows, console_seconds() - started);
    return RSD_OK;
}

/* Both models are its own: the sweep's teacher may hold weights in bfloat16. */
int layers_in_sequence(student *s, layer_job *job, size_t jobs)
{
    line l = { .job = job, .jobs = jobs };
    rsd_weights *original = NULL, *current = NULL;
    int err = rsd_weights_load(s->sweep->model, &original);
    if (!err)
        err = rsd_weights_copy(original, &current);
    if (!err)
        err = run_sequence(s, &l, original, current);
    rsd_weights_free(current);
    rsd_weights_free(original);
    return err;
}
