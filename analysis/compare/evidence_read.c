/* evidence_add: what one result file holds, taken into the evidence unless it is there already. */
#include "compare/evidence.h"

#include "alloc.h"
#include "result/control.h"
#include "result/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- models: a name and its weights ---- */

static int read_sha256(const rsd_store *store, const char *model, char **sha256)
{
    char *path = result_model_path(model);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", model);
    if (!rsd_store_exists(store, path) || rsd_store_get_text(store, path, "sha256", sha256))
        *sha256 = NULL; /* not known: it goes with the first of this name */
    free(path);
    return RSD_OK;
}

static int add_model(evidence *e, const char *name, const char *sha256, bool taken,
                     const char **label)
{
    RSD_TRY(rsd_room(&e->known, e->models, 1, sizeof *e->known));
    evidence_model *m = &e->known[e->models++];
    *m = (evidence_model){ 0 };
    RSD_TRY(rsd_copy_text(name, &m->name));
    RSD_TRY(rsd_copy_text(sha256, &m->sha256));
    if (taken)
        RSD_TRY(rsd_format(&m->label, "%s@%.8s", name, sha256));
    else
        RSD_TRY(rsd_copy_text(name, &m->label));
    *label = m->label;
    return RSD_OK;
}

/* What this file's model is called here. */
static int label_of(evidence *e, const rsd_store *store, const char *name, const char **label)
{
    char *sha256;
    bool taken = false;
    *label = NULL;
    RSD_TRY(read_sha256(store, name, &sha256));
    for (size_t i = 0; i < e->models && !*label; i++) {
        const evidence_model *m = &e->known[i];
        if (strcmp(m->name, name) != 0)
            continue;
        taken = true;
        if (!sha256 || !m->sha256 || strcmp(sha256, m->sha256) == 0)
            *label = m->label;
    }
    const int err = *label ? RSD_OK : add_model(e, name, sha256, taken, label);
    free(sha256);
    return err;
}

static int relabel(evidence *e, const rsd_store *store, char **model)
{
    const char *label;
    RSD_TRY(label_of(e, store, *model, &label));
    free(*model);
    return rsd_copy_text(label, model);
}

/* ---- spectra ---- */

static int find_case(evidence *e, const rsd_store *store, const spectra_row *row,
                     evidence_case **out)
{
    const char *label;
    RSD_TRY(label_of(e, store, row->model, &label));
    for (size_t i = 0; i < e->cases; i++) {
        *out = &e->item[i];
        if (strcmp((*out)->model, label) == 0 && strcmp((*out)->spec, row->spec) == 0)
            return RSD_OK;
    }
    RSD_TRY(rsd_room(&e->item, e->cases, 1, sizeof *e->item));
    *out = &e->item[e->cases++];
    **out = (evidence_case){ 0 };
    RSD_TRY(rsd_copy_text(label, &(*out)->model));
    RSD_TRY(rsd_copy_text(row->spec, &(*out)->spec));
    (*out)->control = result_is_control(store, row->model);
    return RSD_OK;
}

static int find_layer(evidence_case *c, const spectra_row *row, evidence_layer **out)
{
    for (size_t i = 0; i < c->layers; i++) {
        *out = &c->layer[i];
        if (strcmp((*out)->tensor, row->tensor) == 0)
            return RSD_OK;
    }
    RSD_TRY(rsd_room(&c->layer, c->layers, 1, sizeof *c->layer));
    *out = &c->layer[c->layers++];
    **out = (evidence_layer){ .layer = row->layer,
                              .rows = (size_t)row->rows,
                              .cols = (size_t)row->cols };
    for (int k = 0; k < PREDICTORS; k++)
        (*out)->curve[k].energy = NAN;
    RSD_TRY(rsd_copy_text(row->tensor, &(*out)->tensor));
    return rsd_copy_text(row->role, &(*out)->role);
}

static int read_curve(const rsd_store *store, const char *group, const char *name, double energy,
                      evidence_layer *l, evidence_curve *out)
{
    char *path = NULL;
    size_t ndim, shape[2];
    int err = RSD_OK;
    RSD_TRY(rsd_format(&path, "%s/%s", group, name));
    if (rsd_store_exists(store, path)) {
        *out = (evidence_curve){ .energy = energy };
        err = rsd_store_read_array(store, path, &out->share, &ndim, shape);
        out->n = err ? 0 : shape[0];
        out->complete = out->n >= evidence_full_rank(l);
    }
    free(path);
    return err;
}

static int take_residual(evidence *e, const rsd_store *store, const spectra_row *row)
{
    const rsd_weighting_kind kind = spectrum_weighting(row->what);
    const double energy = row->metrics.frobenius * row->metrics.frobenius;
    evidence_case *c;
    evidence_layer *l;
    RSD_TRY(find_case(e, store, row, &c));
    RSD_TRY(find_layer(c, row, &l));
    if (!isnan(l->curve[kind].energy)) {
        e->other_spectra += !(fabs(energy - l->curve[kind].energy) <= 1e-9 * energy);
        return RSD_OK;
    }
    char *group = result_spectrum_path(row->model, row->tensor, row->spec, row->what);
    if (!group)
        return RSD_FAIL(RSD_ENOMEM, "path of a spectrum");
    int err = read_curve(store, group, "cumulative_energy", energy, l, &l->curve[kind]);
    if (!err && kind == RSD_WEIGHTING_NONE)
        err = read_curve(store, group, "null/sign_flip/cumulative_energy", energy, l,
                         &l->curve[PREDICTOR_NULL]);
    free(group);
    return err;
}

static int take_moment(const rsd_store *store, const char *matrix, const char *what, double *erank,
                       double *ratio, double *r90)
{
    char *path;
    RSD_TRY(rsd_format(&path, "%s/%s", matrix, what));
    if (rsd_store_exists(store, path) &&
        (rsd_store_get_real(store, path, "effective_rank", erank) ||
         rsd_store_get_real(store, path, "participation_ratio", ratio) ||
         rsd_store_get_real(store, path, "energy_r90", r90)))
        *erank = *ratio = *r90 = NAN; /* a moment without metrics says nothing here */
    free(path);
    return RSD_OK;
}

static int take_matrix(evidence *e, const rsd_store *store, const spectra_row *row)
{
    const char *label;
    RSD_TRY(label_of(e, store, row->model, &label));
    for (size_t i = 0; i < e->matrices; i++)
        if (strcmp(e->matrix[i].model, label) == 0 && strcmp(e->matrix[i].tensor, row->tensor) == 0)
            return RSD_OK;
    RSD_TRY(rsd_room(&e->matrix, e->matrices, 1, sizeof *e->matrix));
    evidence_matrix *m = &e->matrix[e->matrices++];
    *m = (evidence_matrix){ .rows = (size_t)row->rows,
                            .cols = (size_t)row->cols,
                            .W = row->metrics.effective_rank,
                            .W_energy_r90 = row->metrics.energy_r90 };
    m->H = m->G = m->H_ratio = m->G_ratio = m->H_energy_r90 = m->G_energy_r90 = NAN;
    RSD_TRY(rsd_copy_text(label, &m->model));
    RSD_TRY(rsd_copy_text(row->tensor, &m->tensor));
    m->control = result_is_control(store, row->model);
    char *path = result_matrix_path(row->model, row->tensor);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", row->tensor);
    int err = take_moment(store, path, "H", &m->H, &m->H_ratio, &m->H_energy_r90);
    if (!err)
        err = take_moment(store, path, "G", &m->G, &m->G_ratio, &m->G_energy_r90);
    free(path);
    return err;
}

static int add_spectra(evidence *e, const rsd_store *store)
{
    spectra_rows rows;
    int err = RSD_OK;
    RSD_TRY(spectra_read(store, &rows));
    for (size_t i = 0; i < rows.count && !err; i++) {
        const spectra_row *row = &rows.row[i];
        if (row->what == SPECTRUM_W)
            err = take_matrix(e, store, row);
        else if (row->what >= SPECTRUM_R)
            err = take_residual(e, store, row);
    }
    spectra_free(&rows);
    return err;
}

/* ---- runs ---- */

static bool same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static bool same_run(const recovery_row *a, const recovery_row *b)
{
    return strcmp(a->run, b->run) == 0 && strcmp(a->model, b->model) == 0 && a->seed == b->seed &&
           a->steps == b->steps && a->windows == b->windows &&
           same_number(a->loss_fp, b->loss_fp) && same_number(a->loss_q, b->loss_q) &&
           same_number(a->loss_init, b->loss_init) && same_number(a->loss_trained, b->loss_trained);
}

static int read_windows(const rsd_store *store, const recovery_row *row, const char *name,
                        double **out)
{
    char *group = recovery_path(row->run), *path = NULL;
    size_t ndim, shape[2];
    int err = group ? rsd_format(&path, "%s/%s", group, name)
                    : RSD_FAIL(RSD_ENOMEM, "path of %s", row->run);
    *out = NULL;
    if (!err && rsd_store_exists(store, path)) {
        err = rsd_store_read_array(store, path, out, &ndim, shape);
        if (!err && (ndim != 1 || shape[0] != (size_t)row->windows))
            err = RSD_FAIL(RSD_EFORMAT, "%s: %s has %zu windows, its row says %lld",
                           rsd_store_path(store), path, shape[0], (long long)row->windows);
    }
    free(path);
    free(group);
    return err;
}

/* The row changes hands; *at is its index here, or SIZE_MAX where it was known. */
static int take_run(evidence *e, const rsd_store *store, recovery_row *row, size_t *at)
{
    *at = SIZE_MAX;
    for (size_t i = 0; i < e->runs; i++)
        if (same_run(&e->run[i], row)) {
            e->repeated_runs++;
            return RSD_OK;
        }
    RSD_TRY(rsd_room(&e->run, e->runs, 1, sizeof *e->run));
    RSD_TRY(rsd_room(&e->windows, e->runs, 1, sizeof *e->windows));
    *at = e->runs++;
    evidence_windows *w = &e->windows[*at];
    *w = (evidence_windows){ .file = e->files };
    e->run[*at] = *row;
    *row = recovery_no_row;
    RSD_TRY(read_windows(store, &e->run[*at], "window_loss_init", &w->init));
    return read_windows(store, &e->run[*at], "window_loss_trained", &w->trained);
}

/* at[k]: where run k of the file went. */
static int take_layers(evidence *e, const rsd_store *store, const size_t *at, size_t runs)
{
    recovery_layer *row;
    size_t count;
    int err = rows_read(&recovery_layers_schema, store, &row, &count);
    for (size_t i = 0; i < count && !err; i++) {
        size_t k = 0;
        err = relabel(e, store, &row[i].model);
        while (k < runs && (at[k] == SIZE_MAX || strcmp(e->run[at[k]].run, row[i].run) != 0 ||
                            strcmp(e->run[at[k]].model, row[i].model) != 0))
            k++;
        if (err || k == runs)
            continue;
        err = rsd_room(&e->run_layer, e->run_layers, 1, sizeof *e->run_layer);
        if (!err)
            err = rsd_room(&e->layer_run, e->run_layers, 1, sizeof *e->layer_run);
        if (err)
            break;
        e->layer_run[e->run_layers] = at[k];
        e->run_layer[e->run_layers++] = row[i];
        row[i] = recovery_no_layer;
    }
    rows_free(&recovery_layers_schema, row, count);
    return err;
}

static int add_runs(evidence *e, const rsd_store *store)
{
    recovery_row *row;
    size_t count, *at = NULL;
    RSD_TRY(rows_read(&recovery_rows_schema, store, &row, &count));
    int err = rsd_zeroed(count, sizeof *at, &at);
    for (size_t i = 0; i < count && !err; i++) {
        err = relabel(e, store, &row[i].model);
        if (!err)
            err = take_run(e, store, &row[i], &at[i]);
    }
    if (!err)
        err = take_layers(e, store, at, count);
    free(at);
    rows_free(&recovery_rows_schema, row, count);
    return err;
}

/* ---- single layers ---- */

static bool same_layer(const sensitivity_row *a, const sensitivity_row *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->tensor, b->tensor) == 0 &&
           strcmp(a->spec, b->spec) == 0 && strcmp(a->init, b->init) == 0 && a->rank == b->rank;
}

static int take_single(evidence *e, sensitivity_row *row)
{
    for (size_t i = 0; i < e->sensitivities; i++) {
        sensitivity_row *held = &e->sensitivity[i];
        if (!same_layer(held, row))
            continue;
        e->repeated_layers++;
        if (row->windows > held->windows) {
            const sensitivity_row less = *held;
            *held = *row;
            *row = less; /* freed with the file's rows */
        }
        return RSD_OK;
    }
    RSD_TRY(rsd_room(&e->sensitivity, e->sensitivities, 1, sizeof *e->sensitivity));
    e->sensitivity[e->sensitivities++] = *row;
    *row = (sensitivity_row){ 0 };
    return RSD_OK;
}

static int add_singles(evidence *e, const rsd_store *store)
{
    sensitivity_row *row;
    size_t count;
    int err = rows_read(&sensitivity_schema, store, &row, &count);
    for (size_t i = 0; i < count && !err; i++) {
        err = relabel(e, store, &row[i].model);
        if (!err)
            err = take_single(e, &row[i]);
    }
    rows_free(&sensitivity_schema, row, count);
    return err;
}

int evidence_add(evidence *e, const rsd_store *store)
{
    RSD_TRY(add_spectra(e, store));
    RSD_TRY(add_runs(e, store));
    RSD_TRY(add_singles(e, store));
    e->files++;
    return RSD_OK;
}
