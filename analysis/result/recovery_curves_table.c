/* The table `recovery/curves`: losses and rates along training. */
#include "result/recovery_table.h"
#include "result/table_arrays.h"

#include <stdlib.h>

/* Rows of one array along another of the run's: step, or eval_step. */
static int emit_run(const rsd_store *store, const char *group, const char *run, const char *what,
                    const char *const names[2], const table_sink *sink)
{
    table_arrays a;
    int err = table_arrays_read(store, group, names, 2, &a);
    for (size_t i = 0; !err && a.x[0] && a.x[1] && i < a.count; i++) {
        const rsd_value v[] = { { .text = run },
                                { .text = what },
                                { .integer = (int64_t)a.x[0][i] },
                                { .real = a.x[1][i] } };
        err = sink->row(sink->context, v);
    }
    table_arrays_free(&a);
    return err;
}

static int emit(const rsd_store *store, const char *name, const table_sink *sink)
{
    (void)name;
    static const rsd_column columns[] = {
        { "run", "", "name of the run's group", RSD_COLUMN_TEXT },
        { "what", "", "train_loss (the objective), eval_loss, held_loss or learning_rate",
          RSD_COLUMN_TEXT },
        { "step", "step", "steps done: after it, before the evaluation", RSD_COLUMN_INT },
        { "value", "nat, 1", "loss, or learning rate", RSD_COLUMN_REAL },
    };
    static const char *const pairs[][2] = {
        { "step", "train_loss" },
        { "eval_step", "eval_loss" },
        { "held_step", "held_loss" },
        { "step", "learning_rate" },
    };
    rsd_names runs;
    if (!rsd_store_exists(store, "/recovery"))
        return RSD_FAIL(RSD_ENOTFOUND, "%s holds no runs of recover", rsd_store_path(store));
    RSD_TRY(sink->begin(sink->context, columns, sizeof columns / sizeof *columns));
    int err = rsd_store_names(store, "/recovery", &runs);
    const size_t kinds = sizeof pairs / sizeof *pairs;
    for (size_t i = 0; !err && i < kinds * runs.count; i++) {
        const char *run = runs.name[i / kinds];
        char *group = recovery_path(run);
        if (!group)
            err = RSD_FAIL(RSD_ENOMEM, "path of %s", run);
        else if (rsd_store_has(store, group, "options")) /* a run, not a table */
            err = emit_run(store, group, run, pairs[i % kinds][1], pairs[i % kinds], sink);
        free(group);
    }
    rsd_names_free(&runs);
    return err;
}

const table_kind recovery_curves_table = {
    .name = "recovery/curves",
    .summary = "losses along training, one row per step or evaluation",
    .emit = emit,
};
