/* /spectra of the result file: one row per spectrum, every metric a column. */
#ifndef RSD_RESULT_SPECTRA_H
#define RSD_RESULT_SPECTRA_H

#include "result/rows.h"
#include "spectra/metrics.h"
#include "spectra/weighting.h"

/* Whose spectrum it is: W, W_q, R = W - W_q, and R in each weighting. */
typedef enum {
    SPECTRUM_W,
    SPECTRUM_WQ,
    SPECTRUM_R, /* + a weighting: spectrum_seen */
    SPECTRUM_KINDS = SPECTRUM_R + RSD_WEIGHTINGS
} spectrum_what;

/* "W", "Wq", "R", "RdH", "RH", "GR", "GRH": in rows, and as names of groups.  Ends in NULL. */
extern const char *const spectrum_names[SPECTRUM_KINDS + 1];

/* R in a weighting, and back; of what is no R, RSD_WEIGHTINGS. */
spectrum_what spectrum_seen(rsd_weighting_kind kind);
rsd_weighting_kind spectrum_weighting(spectrum_what what);

/* Numbers that belong to a quantized matrix or to its residual, NaN elsewhere.
 * ENTRY(field, units, description) */
/* clang-format off */
#define RESULT_RELATION_LIST(ENTRY)                                                                \
    ENTRY(bits_per_weight, "bit", "stored bits per weight, scales included, counted from the bytes") \
    ENTRY(packed_bytes, "byte", "bytes that the quantizer stores")                                 \
    ENTRY(relative_error, "ratio", "||W - Wq||_F / ||W||_F")                                       \
    ENTRY(sqnr_db, "dB", "-20 log10 relative_error")                                               \
    ENTRY(max_abs_error, "weight", "largest |W - Wq|")                                             \
    ENTRY(leak, "ratio", "<R,W>/||W||_F^2: how much of W is left in R")                            \
    ENTRY(leak_strength, "ratio", "|leak| s_1(W) / Marchenko-Pastur edge of R; above 1, W shows in R") \
    ENTRY(leak_directions, "count", "directions k of W with |leak| s_k(W) above that edge")        \
    ENTRY(overlap_rank, "rank", "dimension k of the top subspaces of R and W that are compared")   \
    ENTRY(overlap_left, "share", "overlap of the top-k left subspaces of R and W, ||U'V||_F^2/k")  \
    ENTRY(overlap_right, "share", "overlap of the top-k right subspaces of R and W")               \
    ENTRY(overlap_left_random, "share", "overlap_left expected of random subspaces, k/rows")       \
    ENTRY(overlap_right_random, "share", "overlap_right expected of random subspaces, k/cols")     \
    ENTRY(excess_rank, "rank", "rank r at which the excess capture below is taken")                \
    ENTRY(excess_sign_flip, "share", "energy share at r minus that of the sign-flip null, drawn")  \
    ENTRY(excess_error, "share", "standard error over draws of excess_sign_flip")                  \
    ENTRY(excess_z, "ratio", "excess_sign_flip / standard deviation of one more draw")             \
    ENTRY(excess_variance_profile, "share", "energy share at r minus that null's in closed form")  \
    ENTRY(excess_permuted, "share", "energy share at r minus that of the permutation null")        \
    ENTRY(excess_marchenko_pastur, "share", "energy share at r minus that of iid noise")           \
    ENTRY(null_energy_ratio, "ratio", "||.||_F^2 in this weighting / the sign-flip null's")
/* clang-format on */

typedef struct {
#define RESULT_FIELD(name, units, text) double name;
    RESULT_RELATION_LIST(RESULT_FIELD)
#undef RESULT_FIELD
} result_relation;

extern const result_relation result_no_relation; /* NaN throughout */

/* The columns before the metrics, in their order.  A file must hold those of SPECTRA_PLACE. */
/* clang-format off */
#define SPECTRA_PLACE(TEXT, INTEGER, WHAT)                                                         \
    TEXT(model, "name of the model in this file")                                                  \
    TEXT(tensor, "name of the matrix in the model")                                                \
    TEXT(role, "what the matrix is for")                                                           \
    INTEGER(layer, "block", "block number, -1 outside the blocks")                                 \
    INTEGER(rows, "row", "outputs")                                                                \
    INTEGER(cols, "column", "inputs")                                                              \
    TEXT(spec, "quantizer, empty for W")                                                           \
    WHAT(what, "W, Wq, R = W - Wq, or R in the metric of the data: RdH, RH, GR, GRH")
#define SPECTRA_COMPUTED(TEXT, INTEGER, REAL)                                                      \
    TEXT(method, "how the singular values were computed")                                          \
    INTEGER(complete, "bool", "1: all min(rows,cols) singular values are there")                   \
    REAL(error_bound, "weight", "absolute error bound of every singular value")                    \
    REAL(seconds, "s", "time that the spectrum took")
/* clang-format on */

typedef struct {
#define SPECTRA_TEXT(name, text)           const char *name;
#define SPECTRA_INTEGER(name, units, text) int64_t name;
#define SPECTRA_REAL(name, units, text)    double name;
#define SPECTRA_WHAT(name, text)           spectrum_what name;
    SPECTRA_PLACE(SPECTRA_TEXT, SPECTRA_INTEGER, SPECTRA_WHAT)
    SPECTRA_COMPUTED(SPECTRA_TEXT, SPECTRA_INTEGER, SPECTRA_REAL)
#undef SPECTRA_TEXT
#undef SPECTRA_INTEGER
#undef SPECTRA_REAL
#undef SPECTRA_WHAT
    rsd_metrics metrics;
    result_relation relation;
} spectra_row;

extern const rows_schema spectra_schema;

/* The table, or rows that wait to be written.  It owns the rows' texts. */
typedef struct {
    spectra_row *row;
    size_t count, capacity;
} spectra_rows;

/* The rows of a file, none where it has no /spectra.  Errors: rows_read's; *out is then empty. */
RSD_CHECK int spectra_read(const rsd_store *store, spectra_rows *out);

/* A copy of the row, its texts with it, at the end.  Errors: RSD_ENOMEM. */
RSD_CHECK int spectra_add(spectra_rows *rows, const spectra_row *row);

RSD_CHECK int spectra_write(const spectra_rows *rows, rsd_store *store);
void spectra_free(spectra_rows *rows);

/* Are they rows of one spectrum: of the same model, tensor, spec and what? */
bool spectra_same(const spectra_row *a, const spectra_row *b);

/* A number of a row by its column's name; NaN for row NULL, a text, or no such column. */
double spectra_number(const spectra_row *row, const char *column);

#endif
