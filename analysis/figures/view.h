/* A result file as figures see it: matrices grouped by model and role, in the order in which a
 * reader looks for them, each with its rows of /spectra. */
#ifndef RSD_FIGURES_VIEW_H
#define RSD_FIGURES_VIEW_H

#include "opt.h"
#include "result/spectra_table.h"

/* Shell globs; an empty list takes everything.  The model `control`, which analyze adds, is no
 * model of the user's: it keeps models company, and has pages of its own only when it is asked for
 * by `models` or is all there is. */
typedef struct {
    rsd_list include, exclude; /* over tensor names */
    rsd_list models;
    rsd_list specs; /* over canonical texts and labels */
} view_selection;

typedef struct {
    const char *text; /* canonical, as stored */
    char *label;      /* the shortest text that means the same: "nf4" */
    char *title;      /* both: "nf4 (nf:bits=4,block=64)" */
} view_spec;

typedef struct {
    const char *model, *tensor, *role;
    int64_t layer, rows, cols;
    size_t model_rank, role_rank, order; /* what the matrices are sorted by, with the layer */
    const spectra_row *w;                /* NULL where there is none */
    const spectra_row **wq, **r;         /* [specs] likewise */
} view_matrix;

/* The matrices of one role of one model. */
typedef struct {
    const char *model, *role;
    const view_matrix *matrix;
    size_t count;
    bool by_layer; /* one matrix per layer: the layer number tells them apart */
} view_group;

typedef struct {
    const rsd_store *store;
    const view_selection *selection;
    spectra_rows table;
    size_t specs, matrices, groups;
    view_spec *spec;
    view_matrix *matrix;
    const spectra_row **cell;   /* what wq and r point into */
    view_group *group;          /* the pages; groups of a model follow each other */
    const view_matrix *control; /* the companion, or NULL */
} view;

/* The store and the selection must outlive the view; free with view_close also after a failure.
 * A file that holds runs of recover and no spectra gives a view without matrices.
 * Errors: RSD_ENOTFOUND when there is no /spectra or nothing is selected; RSD_EFORMAT; RSD_ENOMEM.
 */
RSD_CHECK int view_open(const rsd_store *store, const view_selection *selection, view *out);
void view_close(view *v);

/* Groups of the model at group[first]: the number that follow, itself included. */
size_t view_model_groups(const view *v, size_t first);

/* Does any matrix of the group have a residual with this quantizer? */
bool view_group_has(const view_group *g, size_t spec);

/* "layer 3", or the end of the tensor's name where layers do not tell matrices apart. */
void view_matrix_label(const view_group *g, const view_matrix *m, char *out, size_t size);

/* Where it stands along depth: the layer, or the number in its group. */
double view_matrix_position(const view_group *g, const view_matrix *m);

/* "qkv (2304×768)", without the shape where shapes differ. */
void view_group_label(const view_group *g, char *out, size_t size);

/* An array below the group of a spectrum (spec is ignored for W), name a dataset's path below it.
 * x NULL and n 0 where there is none. */
typedef struct {
    double *x;
    size_t n;
} view_array;
RSD_CHECK int view_read(const view *v, const view_matrix *m, size_t spec, spectrum_what what,
                        const char *name, view_array *out);

/* The first null that is there for R: its name below "null/", or NULL. */
RSD_CHECK int view_null(const view *v, const view_matrix *m, size_t spec, const char **name);

#endif
