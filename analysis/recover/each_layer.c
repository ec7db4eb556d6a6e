/* Layers side by side, and how each of them ended. */
#include "recover/each_layer.h"

#include "alloc.h"
#include "cli/stop.h"
#include "par.h"

#include <stdio.h>
#include <stdlib.h>

/* How one layer ended. */
typedef struct {
    bool made; /* tried, for better or worse: false after a signal */
    int err;
    char message[512];
} layer_end;

typedef struct {
    const layers_work *work;
    layer_end *end;
} each;

static void *job_of(const layers_work *w, size_t i) { return (char *)w->job + i * w->size; }

static const char *name_of(const layers_work *w, size_t i)
{
    return (*(const rsd_tensor *const *)job_of(w, i))->name;
}

static void run_job(void *context, size_t i)
{
    const each *e = context;
    layer_end *end = &e->end[i];
    end->err = e->work->run(job_of(e->work, i));
    end->made = true;
    if (end->err)
        snprintf(end->message, sizeof end->message, "%s: %s", name_of(e->work, i), rsd_errmsg());
}

static size_t job_bytes(void *context, size_t i)
{
    const each *e = context;
    return e->work->bytes(job_of(e->work, i));
}

static int first_failure(const each *e)
{
    for (size_t i = 0; i < e->work->count; i++)
        if (e->end[i].err)
            return RSD_FAIL(e->end[i].err, "%s", e->end[i].message);
    for (size_t i = 0; i < e->work->count; i++)
        if (!e->end[i].made)
            return RSD_FAIL(RSD_ESTOPPED, "stopped before %s", name_of(e->work, i));
    return RSD_OK;
}

int layers_each(const layers_work *work)
{
    each e = { .work = work };
    size_t largest = 0;
    RSD_TRY(rsd_zeroed(work->count, sizeof *e.end, &e.end));
    for (size_t i = 0; i < work->count; i++) {
        const size_t bytes = job_bytes(&e, i);
        largest = bytes > largest ? bytes : largest;
    }
    const rsd_par_work par = { .count = work->count,
                               .bytes = job_bytes,
                               .run = run_job,
                               .stop = stop_callback,
                               .context = &e,
                               .budget = 4 * largest + 100000000 * rsd_par_threads() };
    int err = rsd_par_each(&par);
    if (!err)
        err = first_failure(&e);
    free(e.end);
    return err;
}
