/* Which base of no more bytes stands beside an adapted model. */
#ifndef RSD_RECOVER_BASE_CHOICE_H
#define RSD_RECOVER_BASE_CHOICE_H

#include "recover/sweep.h"

/* One quantizer for each matrix that the sweep quantizes. */
struct recover_base {
    size_t count;
    const rsd_tensor **tensor;
    const rsd_spec **spec; /* of the menu */
    double bytes, loss;    /* packed, counted; by the menu: predicted, or a squared error */
    double probe;          /* loss on training windows (student_probe) */
};

/* The best within a budget of bytes: the three single quantizers that fit and are predicted to lose
 * least (without H and G of every matrix: whose squared error is least), and, with predictions, the
 * best choice matrix by matrix, are made and run over some windows of the training stream; the
 * lowest loss there wins.  No evaluation window is looked at.  Free with base_choice_free, also
 * after a failure.
 * Errors: RSD_EARG where nothing fits; those of menu_try, of making the models, of their passes. */
RSD_CHECK int base_choose(sweep *s, const recover_run *run, double budget, recover_base *out);
void base_choice_free(recover_base *b);

/* The quantizer of one matrix; NULL where it is none of them. */
const rsd_spec *base_spec_of(const recover_base *b, const rsd_tensor *t);

/* The quantizer of all matrices; NULL: several. */
const rsd_spec *base_single(const recover_base *b);

/* Lines of GLOB=SPEC, as --map takes them.  Caller frees. */
RSD_CHECK int base_map_text(const recover_base *b, char **out);

#endif
