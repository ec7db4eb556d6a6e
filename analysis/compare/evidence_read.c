/* evidence_add: what one result file holds, taken into the evidence unless it is there already. */
#include "alloc.h"
#include "compare/evidence_parts.h"
#include "result/a_priori_group.h"
#include "result/control.h"
#include "result/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The case of this model and spec among *list, a new one at its end where there is none. */
static int find_case(evidence *e, const rsd_store *store, evidence_case **list, size_t *count,
                     const char *model, const char *spec, evidence_case **out)
{
    const char *label;
    RSD_TRY(evidence_label(e, store, model, &label));
    for (size_t i = 0; i < *count; i++) {
        *out = &(*list)[i];
        if (strcmp((*out)->model, label) == 0 && strcmp((*out)->spec, spec) == 0)
            return RSD_OK;
    }
    RSD_TRY(rsd_room(list, *count, 1, sizeof **list));
    *out = &(*list)[(*count)++];
    **out = (evidence_case){ 0 };
    RSD_TRY(rsd_copy_text(label, &(*out)->model));
    RSD_TRY(rsd_copy_text(spec, &(*out)->spec));
    (*out)->control = result_is_control(store, model);
    return RSD_OK;
}

static int find_layer(evidence_case *c, const result_place *place, evidence_layer **out)
{
    for (size_t i = 0; i < c->layers; i++) {
        *out = &c->layer[i];
        if (strcmp((*out)->tensor, place->tensor) == 0)
            return RSD_OK;
    }
    RSD_TRY(rsd_room(&c->layer, c->layers, 1, sizeof *c->layer));
    *out = &c->layer[c->layers++];
    **out = (evidence_layer){ .layer = place->layer, .rows = place->rows, .cols = place->cols };
    for (int k = 0; k < RSD_WEIGHTINGS; k++) {
        (*out)->curve[k].energy = NAN;
        for (int n = 0; n < RSD_NULLS; n++)
            (*out)->null[n][k].energy = NAN;
    }
    RSD_TRY(rsd_copy_text(place->tensor, &(*out)->tensor));
    return rsd_copy_text(place->role, &(*out)->role);
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

/* The null's curve in this weighting, where the file has it.  A null of R itself has R's energy,
 * and files of earlier versions do not say so. */
static int read_null(const rsd_store *store, const char *seen, rsd_null null, double energy,
                     evidence_layer *l, evidence_curve *out)
{
    char *group = NULL;
    double own;
    int err = RSD_OK;
    RSD_TRY(rsd_format(&group, "%s/null/%s", seen, rsd_null_name(null)));
    if (rsd_store_exists(store, group)) {
        if (!rsd_store_get_real(store, group, "energy", &own))
            energy = own;
        err = read_curve(store, group, "cumulative_energy", energy, l, out);
    }
    free(group);
    return err;
}

static int take_residual(evidence *e, const rsd_store *store, const spectra_row *row)
{
    const rsd_weighting_kind kind = spectrum_weighting(row->what);
    const double energy = row->metrics.frobenius * row->metrics.frobenius;
    evidence_case *c;
    evidence_layer *l;
    const result_place place = { row->model,      row->tensor,       row->role,
                                 (int)row->layer, (size_t)row->rows, (size_t)row->cols };
    RSD_TRY(find_case(e, store, &e->item, &e->cases, row->model, row->spec, &c));
    RSD_TRY(find_layer(c, &place, &l));
    if (!isnan(l->curve[kind].energy)) {
        e->other_spectra += !(fabs(energy - l->curve[kind].energy) <= 1e-9 * energy);
        return RSD_OK;
    }
    char *group = result_spectrum_path(row->model, row->tensor, row->spec, row->what);
    if (!group)
        return RSD_FAIL(RSD_ENOMEM, "path of a spectrum");
    int err = read_curve(store, group, "cumulative_energy", energy, l, &l->curve[kind]);
    for (rsd_null n = 0; n < RSD_NULLS && !err; n++)
        if (rsd_null_is_weighted(n))
            err = read_null(store, group, n, kind == RSD_WEIGHTING_NONE ? energy : NAN, l,
                            &l->null[n][kind]);
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
    RSD_TRY(evidence_label(e, store, row->model, &label));
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

/* The curve's array changes hands. */
static int take_a_priori(evidence *e, const rsd_store *store, a_priori_curve *from)
{
    evidence_case *c;
    evidence_layer *l;
    RSD_TRY(
        find_case(e, store, &e->a_priori, &e->a_priori_cases, from->place.model, from->spec, &c));
    RSD_TRY(find_layer(c, &from->place, &l));
    evidence_curve *curve = &l->curve[RSD_WEIGHTING_GH];
    if (!isnan(curve->energy))
        return RSD_OK;
    *curve = (evidence_curve){ .energy = from->energy,
                               .n = from->n,
                               .share = from->share,
                               .complete = from->n >= evidence_full_rank(l) };
    from->share = NULL;
    return RSD_OK;
}

static int add_a_priori(evidence *e, const rsd_store *store)
{
    a_priori_curves all;
    int err = a_priori_read(store, &all);
    for (size_t i = 0; i < all.count && !err; i++)
        err = take_a_priori(e, store, &all.curve[i]);
    a_priori_free(&all);
    return err;
}

int evidence_add(evidence *e, const rsd_store *store)
{
    RSD_TRY(add_spectra(e, store));
    RSD_TRY(add_a_priori(e, store));
    RSD_TRY(evidence_add_runs(e, store));
    RSD_TRY(evidence_add_singles(e, store));
    e->files++;
    return RSD_OK;
}
