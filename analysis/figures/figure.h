/* A figure turns a result file into pages, each one picture.  Its C file decides which pages there
 * are and writes their tables; plots/NAME.gp draws them.  Each lives in one file of this folder,
 * whose name is its name, and is listed once: in FIGURES of Makefile.am. */
#ifndef RSD_FIGURES_FIGURE_H
#define RSD_FIGURES_FIGURE_H

#include "figures/page.h"
#include "figures/view.h"

typedef struct {
    size_t top;         /* ranks shown; 0: what suits the figure */
    const char *metric; /* column of /spectra for the figure along depth */
} figure_options;

/* Where finished pages go; the page stays the caller's. */
typedef struct {
    int (*draw)(void *context, const page *p);
    void *context;
} page_sink;

typedef struct {
    const char *name;
    const char *summary; /* one line, for `residuum list` */
    const char *needs;   /* what a file must hold: "nothing to draw: it holds no NEEDS" */

    /* Give every page to the sink, none where the file has nothing for it.
     * Errors: the store's, the sink's, RSD_ENOMEM. */
    int (*pages)(const view *v, const figure_options *options, const page_sink *sink);
} figure;

/* NULL-terminated, in Makefile order. */
extern const figure *const figures[];

/* The figure called name, or NULL. */
const figure *figure_find(const char *name);

/* "cumulative, energy, ...", for messages; at most size bytes. */
void figure_names(char *out, size_t size);

#endif
