/* What was measured of one matrix, as groups of the result file. */
#include "alloc.h"
#include "analyze/measured.h"

#include <stdlib.h>

static int put_terms(rsd_store *store, const work *w)
{
    RSD_TRY(finished_write_terms(store, w->item->options->terms));
    return result_model_write(store, w->item->entry);
}

static int put_place(rsd_store *store, const work *w, const char *status)
{
    return result_write_matrix(store, w->matrix_path, w->item->tensor, status, w->message);
}

/* Of a checkpoint's W_q: how it is stored there, and whether it could be had. */
static int put_shipped(rsd_store *store, const char *path, const wq_origin *origin,
                       const quantized *q)
{
    if (origin->tensor)
        RSD_TRY(rsd_store_set_text(store, path, "stored_dtype", origin->tensor->stored));
    RSD_TRY(rsd_store_set_text(store, path, "status", q->code ? "failed" : "ok"));
    return rsd_store_set_text(store, path, "message", q->message);
}

/* Does W_q, or what is said of R, depend on the calibration? */
static bool depends_on_calibration(const work *w, const wq_origin *origin)
{
    return w->item->moments ||
           (origin->spec && origin->spec->quantizer->calibration != RSD_CALIBRATION_NONE);
}

static int put_failure(rsd_store *store, const char *path, const quantized *q)
{
    RSD_TRY(rsd_store_set_text(store, path, "status", "failed"));
    return rsd_store_set_text(store, path, "message", q->message);
}

static int put_numbers(rsd_store *store, const char *path, const result_relation *rel)
{
    RSD_TRY(rsd_store_set_real(store, path, "bits_per_weight", rel->bits_per_weight));
    RSD_TRY(rsd_store_set_int(store, path, "packed_bytes", (int64_t)rel->packed_bytes));
    RSD_TRY(rsd_store_set_real(store, path, "relative_error", rel->relative_error));
    RSD_TRY(rsd_store_set_real(store, path, "sqnr_db", rel->sqnr_db));
    RSD_TRY(rsd_store_set_real(store, path, "max_abs_error", rel->max_abs_error));
    return rsd_store_set_real(store, path, "leak", rel->leak);
}

/* The group of a spec: the quantizer's numbers are its attributes. */
static int put_spec(rsd_store *store, const work *w, const wq_origin *origin, const quantized *q)
{
    char *spec = rsd_store_escape(origin->text), *path = NULL;
    int err = spec ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", origin->text);
    if (err)
        goto done;
    RSD_TRY_DONE(rsd_format(&path, "%s/quantized/%s", w->matrix_path, spec));
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "spec", origin->text));
    if (depends_on_calibration(w, origin))
        RSD_TRY_DONE(rsd_store_set_text(store, path, "calibration", w->item->identity));
    if (!origin->spec) {
        RSD_TRY_DONE(result_model_write(store, origin->entry));
        RSD_TRY_DONE(put_shipped(store, path, origin, q));
    } else if (q->code)
        RSD_TRY_DONE(put_failure(store, path, q));
    if (!q->code)
        err = put_numbers(store, path, &q->r.record.relation);
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
    RSD_TRY_DONE(rsd_store_set_real(store, path, "damping", w->item->options->damping));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "clamped", (int64_t)w->roots.clamped));
    err = rsd_store_set_int(store, path, "calibration_tokens", (int64_t)w->roots.tokens);
done:
    free(path);
    return err;
}

static int put_nulls(rsd_store *store, const quantized *q)
{
    for (int n = 0; n < RSD_NULLS; n++)
        for (rsd_weighting_kind k = RSD_WEIGHTING_NONE; k < RSD_WEIGHTINGS; k++) {
            const measured *seen = k == RSD_WEIGHTING_NONE ? &q->r : &q->seen[k];
            if (q->null[n][k].count)
                RSD_TRY(null_write(store, &seen->record, (rsd_null)n, &q->null[n][k]));
        }
    return RSD_OK;
}

int measure_fill(rsd_store *store, void *context)
{
    const work *w = context;
    spectra_rows rows = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(put_terms(store, w));
    RSD_TRY_DONE(put_place(store, w, "ok"));
    RSD_TRY_DONE(put_measured(store, w, &w->w, &rows));
    for (size_t i = 0; i < w->item->origins; i++) {
        const quantized *q = &w->q[i];
        RSD_TRY_DONE(put_spec(store, w, &w->item->origin[i], q));
        if (q->code)
            continue;
        RSD_TRY_DONE(put_measured(store, w, &q->wq, &rows));
        RSD_TRY_DONE(put_measured(store, w, &q->r, &rows));
        if (q->a_priori.share)
            RSD_TRY_DONE(a_priori_write(store, &q->a_priori));
        for (rsd_weighting_kind k = RSD_WEIGHTING_DIAG_H; w->roots.n && k < RSD_WEIGHTINGS; k++)
            RSD_TRY_DONE(put_seen(store, w, &q->seen[k], &rows));
        RSD_TRY_DONE(put_nulls(store, q));
    }
    err = spectra_write(&rows, store);
done:
    spectra_free(&rows);
    return err;
}

int measure_fill_failed(rsd_store *store, void *context)
{
    RSD_TRY(put_terms(store, context));
    return put_place(store, context, "failed");
}
