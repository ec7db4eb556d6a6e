/* Figure `energy`: running shares of squared singular values. */
#include "figures/curve_pages.h"

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    static const curve_figure f = {
        .figure = "energy",
        .title = "Cumulative energy: sum of squared singular values",
        .x_label = "rank {/:Italic r}",
        .y_label = "share of the energy Σσ^2",
        .curve = "cumulative_energy",
        .top = 200,
        .share = true,
    };
    return curve_pages(&f, v, options, sink);
}

extern const figure figure_energy;
const figure figure_energy = {
    .name = "energy",
    .summary = "share of the squared Frobenius norm that the r largest hold, per layer",
    .needs = "spectra",
    .pages = pages,
};
