/* What was measured of one matrix, as groups of the result file. */
#include "analyze/measured.h"
#include "result/journal_parts.h" /* journal_write_model: a checkpoint is described as a model is */

#include <stdio.h>
#include <stdlib.h>

static int put_place(rsd_store *store, const work *w, const char *status)
{
    return result_write_matrix(store, w->matrix_path, w->item->tensor, status, w->message);
}

/* Of a checkpoint's W_q: how it is stored there, and whether it could be had. */
static int put_shipped(rsd_store *store, const char *path, const measure_source *source,
                       const quantized *q)
{
    if (source->tensor)
        RSD_TRY(rsd_store_set_text(store, path, "stored_dtype", source->tensor->stored));
    RSD_TRY(rsd_store_set_text(store, path, "status", q->code ? "failed" : "ok"));
    return rsd_store_set_text(store, path, "message", q->message);
}

/* The group of a spec: the quantizer's numbers are its attributes. */
static int put_spec(rsd_store *store, const work *w, const measure_source *source,
                    const quantized *q)
{
    char *spec = rsd_store_escape(source->text), *path = NULL;
    int err = RSD_OK;
    if (!spec || asprintf(&path, "%s/quantized/%s", w->matrix_path, spec) < 0) {
        path = NULL;
        err = RSD_FAIL(RSD_ENOMEM, "path of %s", source->text);
        goto done;
    }
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "spec", source->text));
    if (!source->spec) {
        RSD_TRY_DONE(journal_write_model(store, source->entry));
        RSD_TRY_DONE(put_shipped(store, path, source, q));
    }
    if (q->code)
        goto done;
    const result_relation *rel = &q->r.record.relation;
    RSD_TRY_DONE(rsd_store_set_real(store, path, "bits_per_weight", rel->bits_per_weight));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "packed_bytes", (int64_t)rel->packed_bytes));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "relative_error", rel->relative_error));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "sqnr_db", rel->sqnr_db));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "max_abs_error", rel->max_abs_error));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "leak", rel->leak));
done:
    free(path);
    free(spec);
    return err;
}

static int put_measured(rsd_store *store, const work *w, const measured *m, spectra_rows *rows)
{
    RSD_TRY(result_write_spectrum(store, &m->record));
    RSD_TRY(result_write_vectors(store, &m->record, w->item->options->vectors));
    return result_add(rows, &m->record);
}

static int put_seen(rsd_store *store, const work *w, const measured *m, spectra_rows *rows)
{
    int err = RSD_OK;
    RSD_TRY(put_measured(store, w, m, rows));
    char *path = result_spectrum_path(m->record.place.model, m->record.place.tensor, m->record.spec,
                                      m->record.what);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", spectrum_names[m->record.what]);
    RSD_TRY_DONE(rsd_store_set_real(store, path, "damping", w->item->moments->damping));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "clamped", (int64_t)w->roots.clamped));
    err = rsd_store_set_int(store, path, "calibration_tokens", w->roots.tokens);
done:
    free(path);
    return err;
}

int measure_fill(rsd_store *store, void *context)
{
    const work *w = context;
    spectra_rows rows = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(put_place(store, w, "ok"));
    RSD_TRY_DONE(put_measured(store, w, &w->w, &rows));
    for (size_t i = 0; i < w->item->sources; i++) {
        const quantized *q = &w->q[i];
        RSD_TRY_DONE(put_spec(store, w, &w->item->source[i], q));
        if (q->code)
            continue;
        RSD_TRY_DONE(put_measured(store, w, &q->wq, &rows));
        RSD_TRY_DONE(put_measured(store, w, &q->r, &rows));
        for (rsd_weighting_kind k = RSD_WEIGHTING_DIAG_H; w->roots.n && k < RSD_WEIGHTINGS; k++)
            RSD_TRY_DONE(put_seen(store, w, &q->seen[k], &rows));
        for (int n = 0; n < RSD_NULLS; n++)
            if (q->null[n].count)
                RSD_TRY_DONE(null_write(store, &q->r.record, (rsd_null)n, &q->null[n]));
    }
    err = spectra_write(&rows, store);
done:
    spectra_free(&rows);
    return err;
}

int measure_fill_failed(rsd_store *store, void *context)
{
    return put_place(store, context, "failed");
}
