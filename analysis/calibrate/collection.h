/* What calibrate.c (the command: what is to be done) and calibrate_pass.c (doing it) share. */
#ifndef RSD_CALIBRATE_PRIVATE_H
#define RSD_CALIBRATE_PRIVATE_H

#include "cli/command.h"
#include "cli/select.h"
#include "cli/stream.h"
#include "result/moment_group.h"
#include "result/parts.h"
#include "result/text_index.h"
#include "transformer/calibrate.h"

typedef struct {
    rsd_common common;
    stream_options stream;
    double memory;
    size_t checkpoint_every;
    bool empirical;
    select_options select;
} calibrate_params;

/* A linear layer that is calibrated. */
typedef struct {
    const rsd_tensor *tensor;
    size_t block;
    rsd_slot slot;
    char *path;    /* of the matrix' group */
    size_t leader; /* the layer, of those that read the same input, whose H is everyone's */
} layer;

/* One moment. */
typedef struct {
    size_t layer, n, pass;
    const char *what; /* "H" or "G" */
    moment_spectrum c;
    int code; /* of its own failure */
    char message[512];
} unit;

typedef struct {
    const calibrate_params *params;
    const char *command_line;
    rsd_model *model;
    char *name;
    result_model entry;
    rsd_weights *weights;
    rsd_transformer *pass;
    stream stream;
    parts *parts;
    char about[512], inputs[64]; /* what shapes the numbers: options, content of files */
    text_index published, kept;  /* groups H and G that are in F.h5, or in a part */
    char *state;                 /* path of the moments of the pass at hand */
    size_t saved;                /* windows that it holds */
    int save_code;               /* why it could not be written */
    size_t layers, units, passes;
    layer *layer;
    unit *unit;
    size_t *measured, measured_count; /* units of the pass at hand */
    rsd_block_moments *moments;
} collection;

/* The groups of the model, of what its calibration was made from, and of the matrices without their
 * moments: what every part begins with. */
RSD_CHECK int calibrate_write_about(const collection *c, rsd_store *to);

/* Collect the moments of one pass over the tokens and keep them as a part.  Errors: those of the
 * forward pass and of the file; RSD_ESTOPPED after a signal, with the state written. */
RSD_CHECK int calibrate_pass(collection *c, size_t pass);

/* ---- state.c ---- */

/* Write the moments of the pass at hand, that of c->measured, after so many windows. */
RSD_CHECK int state_write(const collection *c, size_t windows);

/* Read them back into moments that are zero: *windows 0 where there is no state of this pass. */
RSD_CHECK int state_read(collection *c, size_t *windows);
void state_forget(const collection *c);

#endif
