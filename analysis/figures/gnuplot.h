/* Pictures of pages: gnuplot runs as a program of its own, some at a time. */
#ifndef RSD_FIGURES_GNUPLOT_H
#define RSD_FIGURES_GNUPLOT_H

#include "figures/page.h"
#include "figures/picture.h"

/* The folder of the scripts: $RESIDUUM_PLOTS; else share/residuum/plots beside the program's
 * folder; else the source's while the program lies in its build tree; else where they were to be
 * installed.  Caller frees.  Errors: RSD_ENOTFOUND with the last place; RSD_ENOMEM. */
RSD_CHECK int gnuplot_scripts(char **folder);

typedef struct gnuplot_pool gnuplot_pool;

/* At most `width` programs at a time.  `scripts` must outlive the pool. */
RSD_CHECK int gnuplot_pool_open(const char *scripts, size_t width, gnuplot_pool **out);

/* Have the page drawn to `path`, which appears whole or not at all.  Returns when a program could
 * be started; failures of pages before come back here or from gnuplot_pool_close.
 * Errors: RSD_EIO: no gnuplot (names its package), gnuplot failed (its message), the file cannot be
 * written, or is no whole picture although gnuplot ended as if it were.
 * RSD_ESTOPPED when a signal ended gnuplot too. */
RSD_CHECK int gnuplot_pool_draw(gnuplot_pool *pool, const page *p, picture_format format,
                                const char *path);

/* Wait for every program; free the pool.  Returns err with its message, the caller's failure so
 * far; where that is RSD_OK, the first of the programs' failures.  NULL is fine. */
RSD_CHECK int gnuplot_pool_close(gnuplot_pool *pool, int err);

#endif
