/* /prediction of the result file: what spectra alone say of the loss that is left at each rank. */
#ifndef RSD_RESULT_PREDICTION_H
#define RSD_RESULT_PREDICTION_H

#include "result/rows.h"

/* clang-format off */
#define PREDICTION_TEXTS(ENTRY)                                                                    \
    ENTRY(model, "name of the model in this file")                                                 \
    ENTRY(spec, "quantizer")                                                                       \
    ENTRY(tensor, "name of the matrix; empty: all of them, summed")                                \
    ENTRY(metric, "in which the residual is seen: null, R, RdH, RH, GR, GRH; a_priori: GRH, before R is there")
/* clang-format on */
#define PREDICTION_INTEGERS(ENTRY) ENTRY(rank, "rank", "of the correction of every matrix")
/* clang-format off */
#define PREDICTION_REALS(ENTRY)                                                                    \
    ENTRY(remaining, "share", "of the residual's energy in this metric, behind the first r")       \
    ENTRY(recovered, "share", "1 - remaining")                                                     \
    ENTRY(loss, "nat/token", "GRH, a_priori: half the energy that remains, the loss to second order")
/* clang-format on */

typedef struct {
#define PREDICTION_FIELD(name, text) const char *name;
    PREDICTION_TEXTS(PREDICTION_FIELD)
#undef PREDICTION_FIELD
#define PREDICTION_FIELD(name, units, text) int64_t name;
    PREDICTION_INTEGERS(PREDICTION_FIELD)
#undef PREDICTION_FIELD
#define PREDICTION_FIELD(name, units, text) double name;
    PREDICTION_REALS(PREDICTION_FIELD)
#undef PREDICTION_FIELD
} prediction_row;

extern const rows_schema prediction_schema;

/* The metric of what is predicted of residuals that are not there (a_priori_group.h). */
extern const char prediction_a_priori[];

/* Rows on their way; texts belong to others.  Free row. */
typedef struct {
    size_t count, capacity;
    prediction_row *row;
} prediction_rows;

/* One more, unless what remains is not known; recovered and loss are filled in.  energy: of which
 * it remains, of all that is nats twice; NaN: of none.  Errors: RSD_ENOMEM. */
RSD_CHECK int prediction_add(prediction_rows *rows, const prediction_row *row, double energy);

#endif
