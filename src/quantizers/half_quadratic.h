/* Private to src/quantizers.  The half-quadratic problem: even levels with a real zero in each
 * group of weights, and the zeros that make the error sparse. */
#ifndef RSD_QUANTIZERS_HALF_QUADRATIC_H
#define RSD_QUANTIZERS_HALF_QUADRATIC_H

#include "err.h"
#include "mat.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum { RSD_HQ_LEGACY, RSD_HQ_V2, RSD_HQ_SLOW, RSD_HQ_NONE } rsd_hq_solver;

/* n weights as a row-major matrix of `columns`; its last row may be short, and is padded with
 * zeros. Groups are its rows, of `group` weights each, or its columns. */
typedef struct {
    size_t n, rows, columns, groups, size; /* size: rows * columns */
    bool by_rows;
    float top;           /* largest code */
    float *x;            /* [size] weights */
    float *scale, *zero; /* [groups] a code is x * scale + zero, rounded */
    float *move;         /* [size] what zeros are means of */
} rsd_hq;

/* The shape alone; nothing is allocated. */
void rsd_hq_layout(size_t n, size_t group, bool by_rows, int bits, rsd_hq *t);

/* The group of element (r, c). */
static inline size_t rsd_hq_group(const rsd_hq *t, size_t r, size_t c)
{
    return t->by_rows ? r : c;
}

/* Weights into a problem that has its layout; free with rsd_hq_free also after a failure.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_hq_alloc(rsd_mat W, rsd_hq *t);
void rsd_hq_free(rsd_hq *t);

/* Scales and zeros, from the groups' ranges and by the solver.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_hq_solve(rsd_hq *t, rsd_hq_solver solver);

/* codes[size] by the scales and zeros; those of the padding are 0. */
void rsd_hq_encode(const rsd_hq *t, uint8_t *codes);

#endif
