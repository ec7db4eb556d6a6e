/* Figures that draw a curve along rank: one page per model, role and quantizer, a panel per layer
 * with W, W_q and R, the residual's null in grey, and the low-rank control in the last panel.
 * plots/curves.gp draws them. */
#ifndef RSD_FIGURES_CURVES_H
#define RSD_FIGURES_CURVES_H

#include "figures/figure.h"

typedef struct {
    const char *figure, *title;
    const char *x_label, *y_label; /* in gnuplot's enhanced text */
    const char *curve;             /* the array that is drawn: "cumulative_sum" */
    size_t top;                    /* ranks shown when options do not say; 0: all */
    bool share; /* between 0 and 1; else positive, on a logarithmic axis, with the
                   Marchenko-Pastur edge of R */
} curve_figure;

RSD_CHECK int curve_pages(const curve_figure *f, const view *v, const figure_options *options,
                          const page_sink *sink);

#endif
