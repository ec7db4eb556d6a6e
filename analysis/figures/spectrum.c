/* Figure `spectrum`: singular values by rank. */
#include "figures/curve_pages.h"

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    static const curve_figure f = {
        .figure = "spectrum",
        .title = "Singular values",
        .x_label = "number {/:Italic k} of the singular value",
        .y_label = "singular value σ_{/:Italic k} (weight units)",
        .curve = "singular_values",
    };
    return curve_pages(&f, v, options, sink);
}

extern const figure figure_spectrum;
const figure figure_spectrum = {
    .name = "spectrum",
    .summary = "singular values of W, W_q and R with the Marchenko-Pastur edge, per layer",
    .needs = "spectra",
    .pages = pages,
};
