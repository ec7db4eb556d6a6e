/* Importances of a layer's inputs where the data never reached some of them.
 *
 * An input that calibration saw as 0, a neuron that never fired or a channel that pads, has no
 * weight in any error that is measured on the data.  Were that 0 used as it is, whole blocks of its
 * weights could become anything: a search that minimises 0 ends with a scale of 0.  So its
 * importance counts as not known, and is that of a typical input of the same block. */
#ifndef RSD_QUANTIZERS_IMPORTANCE_H
#define RSD_QUANTIZERS_IMPORTANCE_H

#include "err.h"
#include "quantizers/calibration.h"

#include <stdbool.h>

/* Was an input of this importance seen, where the largest is `largest`?  One whose root mean square
 * is below a millionth of the largest's (2^-40 in squares) cannot be told from one that was not. */
bool rsd_importance_seen(double importance, double largest);

/* out[n] = from[n], mean squares or mean sizes; an input that was not seen has the geometric mean
 * of those that were in its block of `block` neighbours, or of all where none was.  1 throughout
 * where no input was seen at all.  out may be from.
 *
 *   out  *unseen  how many inputs were not seen; may be NULL
 *
 * Errors: RSD_EDOM for an importance that is negative or not finite (says which). */
RSD_CHECK int rsd_importance_fill(const double *from, size_t n, size_t block, double *out,
                                  size_t *unseen);

/* How many of the layer's inputs calibration did not see; 0 where it has no mean squares. */
size_t rsd_unseen_inputs(const rsd_calibration *c);

#endif
