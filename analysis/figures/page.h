/* A page: one table and what a gnuplot script has to know to draw it.
 *
 * The table is tab separated: one block per panel, parted by two blank lines (gnuplot's `index`),
 * a block's first line names its columns, an undefined number is NaN.  Beside it the script finds
 * these variables, and those that the figure sets:
 *   title, subtitle            text
 *   panels, cols, rows         number of panels and the grid they fill, row by row
 *   panel_1, panel_2, ...      text: what each panel shows
 *   page_width, page_height, margin_left, margin_right, margin_top, margin_bottom   inches
 *   x_min, x_max, y_min, y_max of all panels, x_step between numbers, where the figure says so
 *   $legend                    per entry of the legend a block of three points: the ends and the
 *                              middle of its sample line, in inches from the lower left
 *   legend_x_1, legend_y_1, ...   where its text begins, likewise */
#ifndef RSD_FIGURES_PAGE_H
#define RSD_FIGURES_PAGE_H

#include "err.h"

#include <stdbool.h>
#include <stdio.h>

typedef struct {
    const char *figure;
    const char *script; /* plots/SCRIPT.gp draws it: of the figure's name, unless it says other */
    char *name;         /* of the picture, without suffix: "cumulative-gpt2-qkv-nf4" */
    FILE *settings, *table; /* memory streams into the texts below */
    char *settings_text, *table_text;
    size_t settings_size, table_size;
    size_t panels, columns;
    double heading; /* inches of the longer line of the heading */
    double *legend; /* [entries] inches that each takes */
    size_t entries;
    bool starved;         /* memory ran out */
    double width, height; /* inches, set by page_finish */
} page;

/* Start a page whose picture is called FIGURE-PART-PART..., empty parts left out.  Free with
 * page_free also after a failure.  Errors: RSD_ENOMEM. */
RSD_CHECK int page_open(page *p, const char *figure, const char *const parts[3]);
void page_free(page *p);

/* The two lines at the top: what is drawn; of which model, matrix and quantizer. */
void page_heading(page *p, const char *title, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A variable of the script. */
void page_text(page *p, const char *name, const char *value);
void page_number(page *p, const char *name, double value);
void page_range(page *p, char axis, double low, double high); /* x_min and x_max, or y_ */

/* A variable among several: name_1, name_2, ... */
void page_element(page *p, const char *name, size_t i, const char *value);

/* A line of the figure, called series_1, series_2, ... in the script and in the legend. */
void page_series(page *p, size_t i, const char *text);

/* Another entry of the legend, whose text the script knows: here for the room it takes. */
void page_legend(page *p, const char *text);

/* s as a text of gnuplot's language, with a line end. */
void page_put_quoted(FILE *f, const char *s);

/* Start the next panel's block. */
void page_panel(page *p, const char *title, const char *const *columns, size_t count);
void page_row(page *p, const double *x); /* as many numbers as there are columns */

/* Lay the panels out; shape is the inches of a panel when there are many of them.
 * Errors: RSD_ENOMEM when any of the calls before ran out of memory. */
typedef struct {
    double width, height;
    size_t cols;  /* 0: as looks best */
    double right; /* further inches at the right, for the numbers of an axis there */
} page_shape;
RSD_CHECK int page_finish(page *p, page_shape shape);

/* Which of count panels to show where only limit fit: the i-th of those, evenly spread. */
size_t page_pick(size_t i, size_t count, size_t limit);

#endif
