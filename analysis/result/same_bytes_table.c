/* The table `recovery/same_bytes`: each run against the base of its size, out of losses by window.
 */
#include "result/same_bytes.h"
#include "result/tables.h"

#include <math.h>

/* clang-format off */
#define TEXT_COLUMNS(name, of)                                                                     \
    { name "loss", "nat/token", "of the run, " of, RSD_COLUMN_REAL },                              \
    { name "base_loss", "nat/token", "of the base, " of, RSD_COLUMN_REAL },                        \
    { name "difference", "nat/token", "loss - base_loss: negative where the correction wins",      \
      RSD_COLUMN_REAL },                                                                           \
    { name "difference_se", "nat/token", "its standard error, paired, in blocks of windows",       \
      RSD_COLUMN_REAL },                                                                           \
    { name "difference_low", "nat/token", "of its 95 % interval", RSD_COLUMN_REAL },               \
    { name "difference_high", "nat/token", "of its 95 % interval", RSD_COLUMN_REAL },              \
    { name "block", "window", "windows of a block", RSD_COLUMN_INT },                              \
    { name "windows", "window", "that were paired", RSD_COLUMN_INT },                              \
    { name "lower", "window", "in which the correction has the lower loss", RSD_COLUMN_INT },      \
    { name "p_t", "1", "of Student's t, windows taken as independent", RSD_COLUMN_REAL },          \
    { name "p_sign", "1", "of the sign test, likewise", RSD_COLUMN_REAL },                         \
    { name "p_wilcoxon", "1", "of Wilcoxon's signed ranks, likewise", RSD_COLUMN_REAL },           \
    { name "wins", "", "correction, base, or neither: the interval holds 0", RSD_COLUMN_TEXT }

static const rsd_column columns[] = {
    { "model", "", "name of the model in this file", RSD_COLUMN_TEXT },
    { "run", "", "name of the run's group", RSD_COLUMN_TEXT },
    { "spec", "", "quantizer beneath the adapters", RSD_COLUMN_TEXT },
    { "init", "", "how the adapters started", RSD_COLUMN_TEXT },
    { "bytes", "byte", "of the quantized layers and the adapters", RSD_COLUMN_INT },
    { "bits", "bit", "per weight, adapters included", RSD_COLUMN_REAL },
    { "base_run", "", "name of the base's group", RSD_COLUMN_TEXT },
    { "base", "", "its quantizer; mixed: several", RSD_COLUMN_TEXT },
    { "base_bytes", "byte", "of the same layers: no more", RSD_COLUMN_INT },
    { "base_bits", "bit", "per weight", RSD_COLUMN_REAL },
    TEXT_COLUMNS("", "on the evaluation text"),
    TEXT_COLUMNS("second_", "on the second text"),
};
/* clang-format on */
enum { PLACE = 10, TEXT = 13, COLUMNS = sizeof columns / sizeof *columns };

static void put_text(const same_bytes_text *t, rsd_value *v)
{
    const rsd_paired *p = &t->pair;
    const rsd_value known[TEXT] = { { .real = t->loss },
                                    { .real = t->base },
                                    { .real = p->mean },
                                    { .real = p->se },
                                    { .real = p->low },
                                    { .real = p->high },
                                    { .integer = (int64_t)p->block },
                                    { .integer = (int64_t)p->n },
                                    { .integer = (int64_t)p->below },
                                    { .real = p->t },
                                    { .real = p->sign },
                                    { .real = p->wilcoxon },
                                    { .text = same_bytes_winner(t) } };
    for (size_t i = 0; i < TEXT; i++)
        v[i] = known[i];
    for (size_t i = 0; i < TEXT && p->n == 0; i++)
        if (columns[PLACE + i].type == RSD_COLUMN_REAL)
            v[i].real = NAN;
}

static int emit_row(const same_bytes_row *r, const table_sink *sink)
{
    rsd_value v[COLUMNS] = { { .text = r->model },         { .text = r->run },
                             { .text = r->spec },          { .text = r->init },
                             { .integer = r->bytes },      { .real = r->bits },
                             { .text = r->base_run },      { .text = r->base },
                             { .integer = r->base_bytes }, { .real = r->base_bits } };
    put_text(&r->first, v + PLACE);
    put_text(&r->second, v + PLACE + TEXT);
    return sink->row(sink->context, v);
}

static int emit(const rsd_store *store, const char *name, const table_sink *sink)
{
    same_bytes_list list = { 0 };
    int err = RSD_OK;
    if (!rsd_store_exists(store, "/recovery"))
        return RSD_FAIL(RSD_ENOTFOUND, "%s holds no table '%s'", rsd_store_path(store), name);
    RSD_TRY_DONE(same_bytes_add(&list, store));
    RSD_TRY_DONE(sink->begin(sink->context, columns, COLUMNS));
    for (size_t i = 0; !err && i < list.count; i++)
        err = emit_row(&list.row[i], sink);
done:
    same_bytes_free(&list);
    return err;
}

const table_kind same_bytes_table = {
    .name = "recovery/same_bytes",
    .summary = "each run against a base of no more bytes without adapters: which wins",
    .emit = emit,
};
