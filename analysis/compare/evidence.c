#include "compare/evidence.h"

#include "alloc.h"
#include "result/control.h"
#include "result/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const evidence_metric_name[EVIDENCE_METRICS] = { "null", "R", "RdH", "RH", "GRH" };

/* ---- growing lists ---- */

/* The next place of a list, zero; NULL when memory is out. */
static void *append(void *list, size_t *count, size_t size)
{
    void *items;
    memcpy(&items, list, sizeof items);
    if ((*count & (*count - 1)) == 0) { /* 0 or a power of two: full */
        items = realloc(items, (*count ? 2 * *count : 1) * size);
        if (!items)
            return NULL;
        memcpy(list, &items, sizeof items);
    }
    void *at = (char *)items + (*count)++ * size;
    memset(at, 0, size);
    return at;
}

static int no_memory(void) { return RSD_FAIL(RSD_ENOMEM, "what the result files hold"); }

static int find_case(evidence *e, const char *model, const char *spec, evidence_case **out)
{
    for (size_t i = 0; i < e->cases; i++) {
        *out = &e->item[i];
        if (strcmp((*out)->model, model) == 0 && strcmp((*out)->spec, spec) == 0)
            return RSD_OK;
    }
    *out = append(&e->item, &e->cases, sizeof **out);
    if (!*out || !((*out)->model = strdup(model)) || !((*out)->spec = strdup(spec)))
        return no_memory();
    return RSD_OK;
}

static int find_layer(evidence_case *c, const char *tensor, evidence_layer **out)
{
    for (size_t i = 0; i < c->layers; i++) {
        *out = &c->layer[i];
        if (strcmp((*out)->tensor, tensor) == 0)
            return RSD_OK;
    }
    *out = append(&c->layer, &c->layers, sizeof **out);
    if (!*out || !((*out)->tensor = strdup(tensor)))
        return no_memory();
    for (int k = 0; k < EVIDENCE_METRICS; k++)
        (*out)->curve[k].energy = NAN;
    return RSD_OK;
}

static int find_matrix(evidence *e, const char *model, const char *tensor, evidence_matrix **out)
{
    for (size_t i = 0; i < e->matrices; i++) {
        *out = &e->matrix[i];
        if (strcmp((*out)->model, model) == 0 && strcmp((*out)->tensor, tensor) == 0)
            return RSD_OK;
    }
    *out = append(&e->matrix, &e->matrices, sizeof **out);
    if (!*out || !((*out)->model = strdup(model)) || !((*out)->tensor = strdup(tensor)))
        return no_memory();
    evidence_matrix *m = *out;
    m->W = m->H = m->G = m->W_energy_r90 = m->H_energy_r90 = m->G_energy_r90 = NAN;
    return RSD_OK;
}

/* ---- one file ---- */

static int read_curve(const rsd_store *store, const char *group, const char *name, double energy,
                      evidence_layer *l, evidence_curve *out)
{
    char *path = NULL;
    size_t ndim, shape[2];
    if (asprintf(&path, "%s/%s", group, name) < 0)
        return no_memory();
    int err = RSD_OK;
    if (rsd_store_exists(store, path)) {
        free(out->share);
        *out = (evidence_curve){ .energy = energy };
        err = rsd_store_read_array(store, path, &out->share, &ndim, shape);
        out->n = err ? 0 : shape[0];
        out->complete = out->n >= (l->rows < l->cols ? l->rows : l->cols);
    }
    free(path);
    return err;
}

static int take_residual(evidence *e, const rsd_store *store, const spectra_row *row)
{
    const evidence_metric metric = EVIDENCE_R + (evidence_metric)spectrum_weighting(row->what);
    evidence_case *c;
    evidence_layer *l;
    const double f = row->metrics.frobenius;
    RSD_TRY(find_case(e, row->model, row->spec, &c));
    c->control = result_is_control(store, c->model);
    RSD_TRY(find_layer(c, row->tensor, &l));
    if (!l->role)
        RSD_TRY(rsd_copy_text(row->role, &l->role));
    l->layer = row->layer;
    l->rows = (size_t)row->rows;
    l->cols = (size_t)row->cols;
    char *group = result_spectrum_path(c->model, l->tensor, c->spec, row->what);
    if (!group)
        return no_memory();
    int err = read_curve(store, group, "cumulative_energy", f * f, l, &l->curve[metric]);
    if (!err && metric == EVIDENCE_R)
        err = read_curve(store, group, "null/sign_flip/cumulative_energy", f * f, l,
                         &l->curve[EVIDENCE_NULL]);
    free(group);
    return err;
}

static int take_moment(const rsd_store *store, const char *matrix, const char *what, double *erank,
                       double *r90)
{
    char *path;
    RSD_TRY(rsd_format(&path, "%s/%s", matrix, what));
    if (rsd_store_exists(store, path) &&
        (rsd_store_get_real(store, path, "effective_rank", erank) ||
         rsd_store_get_real(store, path, "energy_r90", r90)))
        *erank = *r90 = NAN; /* a moment without metrics says nothing here */
    free(path);
    return RSD_OK;
}

static int take_matrix(evidence *e, const rsd_store *store, const spectra_row *row)
{
    evidence_matrix *m;
    RSD_TRY(find_matrix(e, row->model, row->tensor, &m));
    m->control = result_is_control(store, m->model);
    m->rows = (size_t)row->rows;
    m->cols = (size_t)row->cols;
    m->W = row->metrics.effective_rank;
    m->W_energy_r90 = row->metrics.energy_r90;
    char *path = result_matrix_path(m->model, m->tensor);
    if (!path)
        return no_memory();
    int err = take_moment(store, path, "H", &m->H, &m->H_energy_r90);
    if (!err)
        err = take_moment(store, path, "G", &m->G, &m->G_energy_r90);
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

/* Rows of a table behind those of other files; their texts change hands. */
static int add_rows(const rows_schema *schema, const rsd_store *store, void *list, size_t *count)
{
    char *items, *more;
    size_t n;
    RSD_TRY(rows_read(schema, store, &more, &n));
    if (!n) {
        free(more);
        return RSD_OK;
    }
    memcpy(&items, list, sizeof items);
    char *grown = realloc(items, (*count + n + 1) * schema->size);
    if (!grown) {
        rows_free(schema, more, n);
        return no_memory();
    }
    memcpy(grown + *count * schema->size, more, n * schema->size);
    free(more);
    *count += n;
    memcpy(list, &grown, sizeof grown);
    return RSD_OK;
}

int evidence_add(evidence *e, const rsd_store *store)
{
    RSD_TRY(add_spectra(e, store));
    RSD_TRY(add_rows(&recovery_rows_schema, store, &e->run, &e->runs));
    RSD_TRY(add_rows(&recovery_layers_schema, store, &e->run_layer, &e->run_layers));
    return add_rows(&sensitivity_schema, store, &e->sensitivity, &e->sensitivities);
}

static void free_case(evidence_case *c)
{
    for (size_t i = 0; i < c->layers; i++) {
        free(c->layer[i].tensor);
        free(c->layer[i].role);
        for (int k = 0; k < EVIDENCE_METRICS; k++)
            free(c->layer[i].curve[k].share);
    }
    free(c->layer);
    free(c->model);
    free(c->spec);
}

void evidence_free(evidence *e)
{
    for (size_t i = 0; i < e->cases; i++)
        free_case(&e->item[i]);
    for (size_t i = 0; i < e->matrices; i++) {
        free(e->matrix[i].model);
        free(e->matrix[i].tensor);
    }
    free(e->item);
    free(e->matrix);
    rows_free(&recovery_rows_schema, e->run, e->runs);
    rows_free(&recovery_layers_schema, e->run_layer, e->run_layers);
    rows_free(&sensitivity_schema, e->sensitivity, e->sensitivities);
    *e = (evidence){ 0 };
}

/* ---- looking ---- */

const evidence_case *evidence_find(const evidence *e, const char *model, const char *spec)
{
    for (size_t i = 0; i < e->cases; i++)
        if (strcmp(e->item[i].model, model) == 0 && strcmp(e->item[i].spec, spec) == 0)
            return &e->item[i];
    return NULL;
}

const evidence_layer *evidence_find_layer(const evidence_case *c, const char *tensor)
{
    for (size_t i = 0; i < c->layers; i++)
        if (strcmp(c->layer[i].tensor, tensor) == 0)
            return &c->layer[i];
    return NULL;
}

double evidence_remaining(const evidence_layer *layer, evidence_metric metric, size_t rank)
{
    const evidence_curve *c = &layer->curve[metric];
    if (isnan(c->energy))
        return NAN;
    if (rank == 0)
        return 1;
    if (rank >= (layer->rows < layer->cols ? layer->rows : layer->cols))
        return 0;
    return rank <= c->n ? 1 - c->share[rank - 1] : NAN;
}
