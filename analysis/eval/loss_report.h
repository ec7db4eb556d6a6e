/* What eval says of the losses that it measured. */
#ifndef RSD_LOSS_REPORT_H
#define RSD_LOSS_REPORT_H

#include "cli/stream.h"
#include "transformer/evaluate.h"

typedef struct {
    const rsd_evaluation *result; /* with loss_original: the changed model beside the original */
    const stream *stream;
    double weights, bytes; /* that were quantized */
    bool adapted;
    size_t numbers; /* of the adapters */
} loss_report;

/* On standard output, as a table or one JSON object.  Errors: RSD_EIO, RSD_ENOMEM, the stream's. */
RSD_CHECK int loss_report_print(const loss_report *o, bool as_json);

#endif
