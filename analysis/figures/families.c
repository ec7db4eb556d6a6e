/* Error against bits per weight: one page per model, a line per family of quantizers, over all
 * matrices of the model.  Beside the error itself, what it costs in bits above the rate-distortion
 * bound of a Gaussian source: no code of R bits leaves less than 2^-R of its size. */
#include "figures/axis.h"
#include "figures/figure.h"
#include "mat.h"
#include "spec.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = RSD_SPEC_MAX, BITS_MAX = 10, EXCESS_MAX = 3 /* shown, where others are within */ };
/* Columns before the families', of which each has two: its points, and those that a line joins. */
enum { BITS, BOUND, LABEL_X, LABEL_Y, FIXED };

/* What one quantizer makes of a whole model. */
typedef struct {
    const view_spec *spec;
    char family[KEY_MAX];
    double bits, error;
    bool joined;             /* none of its family with fewer bits does better */
    double label_x, label_y; /* in the right panel; NaN where there is no room */
} entry;

typedef struct {
    char key[KEY_MAX], name[KEY_MAX]; /* "q_k" and "qN_k", or the only member's name */
    bool several;                     /* names in it */
} family;

typedef struct {
    const view *v;
    const view_group *g; /* the model's */
    size_t groups, entries, families, left_out, above;
    entry *entry;       /* [specs], by family, then by bits */
    family *family;     /* [specs] at most, in the order of the first of each */
    double *row;        /* [FIXED + 2 specs] */
    const char **names; /* likewise */
    page page;
    axis_range x, excess;
} sheet;

/* The quantizer's name, digits out: q4_k and q6_k are one family. */
static void family_key(const char *text, char key[KEY_MAX])
{
    size_t n = 0;
    for (; *text && *text != ':' && n + 1 < KEY_MAX; text++)
        if (!isdigit((unsigned char)*text))
            key[n++] = *text;
    key[n] = 0;
}

static void family_name(const char *text, bool several, char name[KEY_MAX])
{
    size_t n = 0;
    for (; *text && *text != ':' && n + 1 < KEY_MAX; text++)
        name[n++] = several && isdigit((unsigned char)*text) ? 'N' : *text;
    name[n] = 0;
}

static bool same_name(const char *a, const char *b)
{
    const size_t n = strcspn(a, ":");
    return n == strcspn(b, ":") && strncmp(a, b, n) == 0;
}

/* Means over the matrices that have this quantizer: bits by weights, errors by energy. */
static entry measure(const sheet *s, size_t q)
{
    double weights = 0, bits = 0, error = 0, energy = 0;
    entry e = { .spec = &s->v->spec[q], .bits = NAN, .error = NAN };
    for (size_t g = 0; g < s->groups; g++)
        for (size_t i = 0; i < s->g[g].count; i++) {
            const view_matrix *m = &s->g[g].matrix[i];
            const double size = (double)m->rows * (double)m->cols;
            const double r = spectra_number(m->r[q], "frobenius");
            const double w = spectra_number(m->w, "frobenius");
            const double b = spectra_number(m->r[q], "bits_per_weight");
            if (!isfinite(r) || !isfinite(w) || !isfinite(b))
                continue;
            weights += size;
            bits += size * b;
            error += r * r;
            energy += w * w;
        }
    family_key(e.spec->text, e.family);
    if (weights > 0 && energy > 0 && error > 0) {
        e.bits = bits / weights;
        e.error = sqrt(error / energy);
    }
    return e;
}

static int by_family(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    const int order = strcmp(x->family, y->family),
              bits = (x->bits > y->bits) - (x->bits < y->bits);
    return order ? order : bits ? bits : (x->error > y->error) - (x->error < y->error);
}

static void find_families(sheet *s)
{
    s->families = 0;
    for (size_t i = 0; i < s->entries; i++) {
        const entry *e = &s->entry[i];
        family *f = s->families ? &s->family[s->families - 1] : NULL;
        if (!f || strcmp(f->key, e->family) != 0) {
            f = &s->family[s->families++];
            *f = (family){ .several = false };
            snprintf(f->key, sizeof f->key, "%s", e->family);
        } else if (!same_name(e->spec->text, e[-1].spec->text)) {
            f->several = true;
        }
        family_name(e->spec->text, f->several, f->name);
    }
}

static void find_lines(sheet *s)
{
    double least = INFINITY;
    for (size_t i = 0; i < s->entries; i++) {
        entry *e = &s->entry[i];
        if (i && strcmp(e->family, e[-1].family) != 0)
            least = INFINITY;
        e->joined = e->error < least;
        least = fmin(least, e->error);
    }
}

/* Where there are codes of few bits, those of many would press them into a corner. */
static void find_entries(sheet *s)
{
    bool few = false;
    s->entries = s->left_out = 0;
    for (size_t q = 0; q < s->v->specs; q++) {
        s->entry[s->entries] = measure(s, q);
        if (!isfinite(s->entry[s->entries].error))
            continue;
        few |= s->entry[s->entries++].bits <= BITS_MAX;
    }
    for (size_t i = 0; few && i < s->entries;)
        if (s->entry[i].bits > BITS_MAX) {
            s->entry[i] = s->entry[--s->entries];
            s->left_out++;
        } else {
            i++;
        }
    qsort(s->entry, s->entries, sizeof *s->entry, by_family);
    find_families(s);
    find_lines(s);
}

static double excess_of(const entry *e) { return e->bits + log2(e->error); }

/* The right panel's axes; what lies far above the others is left out. */
static void find_axes(sheet *s)
{
    bool low = false;
    s->x = s->excess = (axis_range){ 0 };
    for (size_t i = 0; i < s->entries; i++) {
        axis_take(&s->x, s->entry[i].bits);
        low |= excess_of(&s->entry[i]) <= EXCESS_MAX;
    }
    s->above = 0;
    axis_take(&s->excess, 0);
    for (size_t i = 0; i < s->entries; i++)
        if (low && excess_of(&s->entry[i]) > EXCESS_MAX)
            s->above++;
        else
            axis_take(&s->excess, excess_of(&s->entry[i]));
    s->excess = axis_linear(s->excess);
    s->x.low -= 0.3;
    s->x.high += 0.5;
}

static bool is_shown(const sheet *s, const entry *e) { return excess_of(e) <= s->excess.high; }

/* ---- names beside points, none upon another: inches in the right panel ---- */

static const double panel_width = 4.6, panel_height = 4.8, letter = 0.052, text_height = 0.085;

typedef struct {
    double left, right, bottom, top;
} box;

static bool overlap(const box *a, const box *b)
{
    return a->left < b->right && b->left < a->right && a->bottom < b->top && b->bottom < a->top;
}

static box point_box(const sheet *s, const entry *e)
{
    const double x = (e->bits - s->x.low) / (s->x.high - s->x.low) * panel_width;
    const double y =
        (excess_of(e) - s->excess.low) / (s->excess.high - s->excess.low) * panel_height;
    return (box){ x - 0.035, x + 0.035, y - 0.035, y + 0.035 };
}

/* The k-th place for a name of this width: right, left, above and below, ever farther. */
static box label_box(const box *point, double width, int k)
{
    static const double side[] = { 1, -1, 0, 0, 1, 1, -1, -1 },
                        up[] = { 0, 0, 1, -1, 1, -1, 1, -1 };
    const double x = (point->left + point->right) / 2, y = (point->bottom + point->top) / 2;
    const double far = 1 + (double)(k / 8) * 1.1;
    const double left = x + side[k % 8] * (width / 2 + 0.05) - width / 2;
    const double bottom = y + up[k % 8] * far * (text_height + 0.01) - text_height / 2;
    return (box){ left, left + width, bottom, bottom + text_height };
}

static bool is_free(const sheet *s, const box *b, const box *taken, size_t count)
{
    bool clear = b->left > 0 && b->right < panel_width && b->bottom > 0 && b->top < panel_height;
    for (size_t i = 0; i < s->entries && clear; i++) {
        const box p = point_box(s, &s->entry[i]);
        clear = !is_shown(s, &s->entry[i]) || !overlap(b, &p);
    }
    for (size_t i = 0; i < count && clear; i++)
        clear = !overlap(b, &taken[i]);
    return clear;
}

static int place_labels(sheet *s)
{
    enum { PLACES = 24 };
    box *taken;
    size_t count = 0;
    RSD_TRY(rsd_array_alloc(s->entries, 1, sizeof *taken, &taken));
    for (size_t i = 0; i < s->entries; i++) {
        entry *e = &s->entry[i];
        const box point = point_box(s, e);
        e->label_x = e->label_y = NAN;
        for (int k = 0; k < PLACES && is_shown(s, e) && isnan(e->label_x); k++) {
            const box b = label_box(&point, letter * (double)strlen(e->spec->label), k);
            if (!is_free(s, &b, taken, count))
                continue;
            taken[count++] = b;
            e->label_x = s->x.low + b.left / panel_width * (s->x.high - s->x.low);
            e->label_y = s->excess.low +
                         (b.bottom + b.top) / 2 / panel_height * (s->excess.high - s->excess.low);
        }
    }
    free(taken);
    return RSD_OK;
}

/* A row per quantizer, its value in its family's columns: the error, or the bits above the bound.
 */
static axis_range put_panel(sheet *s, const char *title, bool excess)
{
    axis_range y = { 0 };
    const size_t columns = FIXED + 2 * s->families;
    page_panel(&s->page, title, s->names, columns);
    for (size_t i = 0, f = 0; i < s->entries; i++) {
        const entry *e = &s->entry[i];
        const double value = !excess ? e->error : is_shown(s, e) ? excess_of(e) : NAN;
        while (strcmp(s->family[f].key, e->family) != 0)
            f++;
        for (size_t c = FIXED; c < columns; c++)
            s->row[c] = NAN;
        s->row[BITS] = e->bits;
        s->row[BOUND] = excess ? 0 : exp2(-e->bits);
        s->row[LABEL_X] = excess ? e->label_x : NAN;
        s->row[LABEL_Y] = e->label_y;
        s->row[FIXED + 2 * f] = value;
        s->row[FIXED + 2 * f + 1] = e->joined ? value : NAN;
        axis_take(&y, s->row[BOUND]);
        axis_take(&y, value);
        page_row(&s->page, s->row);
    }
    return y;
}

static void put_texts(sheet *s)
{
    char left_out[64] = "", above[64] = "";
    if (s->left_out)
        snprintf(left_out, sizeof left_out, " · %zu of more than %d bits left out", s->left_out,
                 BITS_MAX);
    if (s->above)
        snprintf(above, sizeof above, " · %zu above the right panel", s->above);
    page_heading(&s->page, "Error against bits per weight", "%s · all quantized matrices%s%s",
                 s->g->model, left_out, above);
    s->names[BITS] = "bits";
    s->names[BOUND] = "bound";
    s->names[LABEL_X] = "label_x";
    s->names[LABEL_Y] = "label_y";
    for (size_t f = 0; f < s->families; f++) {
        s->names[FIXED + 2 * f] = s->names[FIXED + 2 * f + 1] = s->family[f].name;
        page_series(&s->page, f + 1, s->family[f].name);
    }
    page_legend(&s->page, "2^-R, Gaussian source");
    for (size_t i = 0; i < s->entries; i++)
        page_element(&s->page, "spec", i + 1, s->entry[i].spec->label);
}

static int draw_sheet(sheet *s, const page_sink *sink)
{
    const char *const parts[3] = { s->g->model, "", "" };
    int err = RSD_OK;
    find_entries(s);
    if (!s->entries)
        return RSD_OK;
    find_axes(s);
    RSD_TRY(place_labels(s));
    RSD_TRY_DONE(page_open(&s->page, "families", parts));
    put_texts(s);
    const axis_range error = axis_log(put_panel(s, "relative error", false), 6);
    put_panel(s, "bits above the bound", true);
    page_number(&s->page, "series", (double)s->families);
    page_range(&s->page, 'x', s->x.low, s->x.high);
    page_number(&s->page, "x_step", axis_step(s->x.low, s->x.high, 9));
    page_range(&s->page, 'y', error.low, error.high);
    page_number(&s->page, "excess_min", s->excess.low);
    page_number(&s->page, "excess_max", s->excess.high);
    RSD_TRY_DONE(page_finish(
        &s->page, (page_shape){ .width = panel_width, .height = panel_height, .cols = 2 }));
    err = sink->draw(sink->context, &s->page);
done:
    page_free(&s->page);
    return err;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    sheet s = { .v = v };
    int err = RSD_OK;
    (void)options;
    RSD_TRY_DONE(rsd_array_alloc(v->specs, 1, sizeof *s.entry, &s.entry));
    RSD_TRY_DONE(rsd_array_alloc(v->specs, 1, sizeof *s.family, &s.family));
    RSD_TRY_DONE(rsd_array_alloc(FIXED + 2 * v->specs, 1, sizeof *s.row, &s.row));
    RSD_TRY_DONE(rsd_array_alloc(FIXED + 2 * v->specs, 1, sizeof *s.names, &s.names));
    for (size_t i = 0; i < v->groups && v->specs; i += s.groups) {
        s.g = &v->group[i];
        s.groups = view_model_groups(v, i);
        RSD_TRY_DONE(draw_sheet(&s, sink));
    }
done:
    free(s.entry);
    free(s.family);
    free(s.row);
    free(s.names);
    return err;
}

extern const figure figure_families;
const figure figure_families = {
    .name = "families",
    .summary = "error against bits per weight, a line per family, and the Gaussian bound",
    .needs = "quantized matrices (analyze -q)",
    .pages = pages,
};
