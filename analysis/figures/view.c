/* A result file, sorted for figures. */
#include "figures/view.h"

#include "alloc.h"
#include "mat.h"
#include "quantizers/label.h"
#include "result/control.h"
#include "result/recovery_table.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS_MAX = 9999 }; /* beyond it is no depth of a network */

static bool any_matches(const rsd_list *globs, const char *text)
{
    for (size_t i = 0; i < globs->count; i++)
        if (fnmatch(globs->item[i], text, 0) == 0)
            return true;
    return false;
}

static bool takes(const view_selection *s, const char *model, const char *tensor)
{
    if (s->models.count && !any_matches(&s->models, model))
        return false;
    return !any_matches(&s->exclude, tensor) &&
           (s->include.count == 0 || any_matches(&s->include, tensor));
}

/* Does the control stand among the models?  Else it is their companion. */
static bool control_is_model(const view *v, const view_selection *s)
{
    for (size_t i = 0; i < v->table.count; i++) {
        const char *model = v->table.row[i].model;
        const bool control = result_is_control(v->store, model);
        if (s->models.count && control && any_matches(&s->models, model))
            return true;
        if (!s->models.count && !control)
            return false;
    }
    return !s->models.count;
}

static size_t find_spec(const view *v, const char *text)
{
    for (size_t i = 0; i < v->specs; i++)
        if (strcmp(v->spec[i].text, text) == 0)
            return i;
    return SIZE_MAX;
}

static void free_spec(view_spec *s)
{
    free(s->label);
    free(s->title);
}

static int make_spec(const char *text, view_spec *out)
{
    *out = (view_spec){ text, rsd_spec_label(text), NULL };
    if (!out->label)
        return RSD_FAIL(RSD_ENOMEM, "label of %s", text);
    if (strcmp(out->label, text) == 0)
        return rsd_copy_text(text, &out->title);
    return rsd_format(&out->title, "%s (%s)", out->label, text);
}

/* Take the spec in, unless it is known or not selected. */
static int add_spec(view *v, const char *text, const view_selection *s)
{
    view_spec spec;
    if (!*text || find_spec(v, text) != SIZE_MAX)
        return RSD_OK;
    RSD_TRY(rsd_room(&v->spec, v->specs, 1, sizeof *v->spec));
    const int err = make_spec(text, &spec);
    if (!err &&
        (s->specs.count == 0 || any_matches(&s->specs, text) || any_matches(&s->specs, spec.label)))
        v->spec[v->specs++] = spec;
    else
        free_spec(&spec);
    return err;
}

static int collect_specs(view *v, const view_selection *s)
{
    for (size_t i = 0; i < v->table.count; i++)
        RSD_TRY(add_spec(v, v->table.row[i].spec, s));
    return RSD_OK;
}

/* Rows of a matrix follow each other but for those that a later run added: look from the end. */
static size_t find_matrix(const view *v, const char *model, const char *tensor)
{
    for (size_t i = v->matrices; i-- > 0;)
        if (strcmp(v->matrix[i].tensor, tensor) == 0 && strcmp(v->matrix[i].model, model) == 0)
            return i;
    return SIZE_MAX;
}

/* Roles in the order in which data flow through a block; others as the file has them. */
static size_t rank_of_role(const view *v, const char *role)
{
    static const char *const known[] = { "qkv", "q", "k", "v", "o", "gate", "up", "down" };
    enum { KNOWN = sizeof known / sizeof *known };
    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(known[i], role) == 0)
            return i;
    for (size_t i = 0; i < v->matrices; i++)
        if (strcmp(v->matrix[i].role, role) == 0)
            return v->matrix[i].role_rank;
    return KNOWN + v->matrices;
}

static size_t rank_of_model(const view *v, const char *model)
{
    for (size_t i = v->matrices; i-- > 0;)
        if (strcmp(v->matrix[i].model, model) == 0)
            return v->matrix[i].model_rank;
    return v->matrices;
}

/* One entry per matrix; *owner gets the matrix of every row, SIZE_MAX for rows left out. */
static int collect_matrices(view *v, const view_selection *s, size_t *owner)
{
    const bool companion = !control_is_model(v, s);
    for (size_t i = 0; i < v->table.count; i++) {
        const spectra_row *row = &v->table.row[i];
        const char *model = row->model, *tensor = row->tensor;
        const bool control = companion && result_is_control(v->store, model);
        owner[i] = SIZE_MAX;
        if (!control && !takes(s, model, tensor))
            continue;
        owner[i] = find_matrix(v, model, tensor);
        if (owner[i] != SIZE_MAX)
            continue;
        owner[i] = v->matrices;
        v->matrix[v->matrices] = (view_matrix){
            .model = model,
            .tensor = tensor,
            .role = row->role,
            .layer = row->layer,
            .rows = row->rows,
            .cols = row->cols,
            .order = v->matrices,
            .model_rank = control ? SIZE_MAX : rank_of_model(v, model),
            .role_rank = rank_of_role(v, row->role),
        };
        v->matrices++;
    }
    return RSD_OK;
}

static int assign_rows(view *v, const size_t *owner)
{
    const size_t cells = 2 * v->specs;
    RSD_TRY(rsd_zeroed(v->matrices * cells, sizeof *v->cell, &v->cell));
    for (size_t i = 0; i < v->matrices; i++) {
        v->matrix[i].wq = v->cell + i * cells;
        v->matrix[i].r = v->cell + i * cells + v->specs;
    }
    for (size_t i = 0; i < v->table.count; i++) {
        if (owner[i] == SIZE_MAX)
            continue;
        const spectra_row *row = &v->table.row[i];
        view_matrix *m = &v->matrix[owner[i]];
        const size_t spec = find_spec(v, row->spec);
        if (row->what == SPECTRUM_W)
            m->w = row;
        else if (spec != SIZE_MAX && row->what == SPECTRUM_WQ)
            m->wq[spec] = row;
        else if (spec != SIZE_MAX && row->what == SPECTRUM_R)
            m->r[spec] = row;
    }
    return RSD_OK;
}

static int compare(const void *a, const void *b)
{
    const view_matrix *x = a, *y = b;
    if (x->model_rank != y->model_rank)
        return x->model_rank < y->model_rank ? -1 : 1;
    if (x->role_rank != y->role_rank)
        return x->role_rank < y->role_rank ? -1 : 1;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static bool told_by_layer(const view_group *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (g->matrix[i].layer < 0 || g->matrix[i].layer > LAYERS_MAX ||
            (i && g->matrix[i].layer == g->matrix[i - 1].layer))
            return false;
    return true;
}

/* Runs of equal model and role; the companion sorts last and is no group. */
static int make_groups(view *v)
{
    qsort(v->matrix, v->matrices, sizeof *v->matrix, compare);
    RSD_TRY(rsd_array_alloc(v->matrices, 1, sizeof *v->group, &v->group));
    for (size_t i = 0; i < v->matrices; i++) {
        const view_matrix *m = &v->matrix[i];
        if (m->model_rank == SIZE_MAX) {
            v->control = m;
            break;
        }
        view_group *last = v->groups ? &v->group[v->groups - 1] : NULL;
        if (last && last->matrix->model_rank == m->model_rank &&
            last->matrix->role_rank == m->role_rank)
            last->count++;
        else
            v->group[v->groups++] = (view_group){ m->model, m->role, m, 1, false };
    }
    for (size_t i = 0; i < v->groups; i++)
        v->group[i].by_layer = told_by_layer(&v->group[i]);
    return RSD_OK;
}

int view_open(const rsd_store *store, const view_selection *selection, view *out)
{
    size_t *owner = NULL;
    int err = RSD_OK;
    *out = (view){ .store = store, .selection = selection };
    if (!rsd_store_exists(store, spectra_schema.path) &&
        rsd_store_exists(store, recovery_rows_schema.path))
        return RSD_OK; /* runs alone */
    if (!rsd_store_exists(store, spectra_schema.path))
        return RSD_FAIL(RSD_ENOTFOUND, "%s holds no %s", rsd_store_path(store),
                        spectra_schema.path);
    RSD_TRY(spectra_read(store, &out->table));
    RSD_TRY(collect_specs(out, selection));
    RSD_TRY(rsd_array_alloc(out->table.count, 1, sizeof *out->matrix, &out->matrix));
    RSD_TRY(rsd_array_alloc(out->table.count, 1, sizeof *owner, &owner));
    RSD_TRY_DONE(collect_matrices(out, selection, owner));
    RSD_TRY_DONE(assign_rows(out, owner));
    RSD_TRY_DONE(make_groups(out));
    if (out->groups == 0)
        err = RSD_FAIL(RSD_ENOTFOUND, "%s: no matrix is selected among %zu spectra",
                       rsd_store_path(store), out->table.count);
done:
    free(owner);
    return err;
}

void view_close(view *v)
{
    for (size_t i = 0; i < v->specs; i++)
        free_spec(&v->spec[i]);
    free(v->spec);
    free(v->cell);
    free(v->group);
    free(v->matrix);
    spectra_free(&v->table);
    *v = (view){ 0 };
}
