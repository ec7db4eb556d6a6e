/* Figure `cumulative`: running sums of singular values. */
#include "figures/curve_pages.h"

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    static const curve_figure f = {
        .figure = "cumulative",
        .title = "Cumulative sum of singular values",
        .x_label = "rank {/:Italic r}",
        .y_label = "share of the sum Σσ",
        .curve = "cumulative_sum",
        .top = 200,
        .share = true,
    };
    return curve_pages(&f, v, options, sink);
}

extern const figure figure_cumulative;
const figure figure_cumulative = {
    .name = "cumulative",
    .summary = "share of the sum of singular values that the r largest hold, per layer",
    .needs = "complete spectra (analyze without --top)",
    .pages = pages,
};
