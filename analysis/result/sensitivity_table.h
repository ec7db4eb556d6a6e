/* /sensitivity of the result file: what each layer costs when it alone is quantized, and what is
 * left of it when it alone is corrected.  One row per layer, quantizer and correction. */
#ifndef RSD_RESULT_SENSITIVITY_H
#define RSD_RESULT_SENSITIVITY_H

#include "result/rows.h"

/* clang-format off */
#define SENSITIVITY_TEXTS(ENTRY)                                                                   \
    ENTRY(model, "name of the model in this file")                                                 \
    ENTRY(tensor, "name of the matrix; empty: all of them at once")                                \
    ENTRY(role, "what the matrix is for")                                                          \
    ENTRY(spec, "quantizer of this matrix; all others are the original's")                         \
    ENTRY(init, "correction that stands beside it; empty: none")
/* clang-format on */
/* clang-format off */
#define SENSITIVITY_INTEGERS(ENTRY)                                                                \
    ENTRY(layer, "block", "block number, -1 outside the blocks")                                   \
    ENTRY(rank, "rank", "of the correction; 0: none")                                              \
    ENTRY(windows, "window", "that the losses are means over")                                     \
    ENTRY(windows_of, "window", "of the stream that these are spread over; 0: its first, or all")  \
    ENTRY(block, "window", "block of windows that the error was taken in")                         \
    ENTRY(context, "token", "inputs of a window")
/* clang-format on */
/* clang-format off */
#define SENSITIVITY_REALS(ENTRY)                                                                   \
    ENTRY(loss_fp, "nat/token", "of the original model on the same windows")                       \
    ENTRY(increase, "nat/token", "of the loss, over the original's")                               \
    ENTRY(increase_se, "nat/token", "its standard error, paired over windows")                     \
    ENTRY(first_order, "nat/token", "predicted by the gradient alone: -<dL/dW, W - Wq - C>")
/* clang-format on */

typedef struct {
#define SENSITIVITY_FIELD(name, text) char *name;
    SENSITIVITY_TEXTS(SENSITIVITY_FIELD)
#undef SENSITIVITY_FIELD
#define SENSITIVITY_FIELD(name, units, text) int64_t name;
    SENSITIVITY_INTEGERS(SENSITIVITY_FIELD)
#undef SENSITIVITY_FIELD
#define SENSITIVITY_FIELD(name, units, text) double name;
    SENSITIVITY_REALS(SENSITIVITY_FIELD)
#undef SENSITIVITY_FIELD
} sensitivity_row;

extern const rows_schema sensitivity_schema;

#endif
