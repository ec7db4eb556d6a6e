/* What numbers of a result file were made from: the models, the options, the inputs.  All runs that
 * share a part of a file agree in these, or the later one is refused. */
#ifndef RSD_PROVENANCE_H
#define RSD_PROVENANCE_H

#include "io/model.h"
#include "io/store.h"

#include <stdbool.h>

/* A model's group in the file. */
typedef struct {
    const char *name, *source, *architecture, *config;
    char sha256[65]; /* of its weights */
    size_t parameters;
    bool control; /* ours, not the user's (control.h) */
} result_model;

/* Its texts belong to the model and to the caller's name.  Errors: rsd_model_sha256's. */
RSD_CHECK int result_model_describe(const rsd_model *model, const char *name, result_model *out);

/* The group /models/NAME, or attributes of another one at path. */
RSD_CHECK int result_model_write(rsd_store *store, const result_model *m);
RSD_CHECK int result_model_write_at(rsd_store *store, const char *path, const result_model *m);

/* Does the file (NULL: none) hold this model?  Errors: RSD_EUSAGE when it holds other weights, or
 * another configuration, under that name (names what differs). */
RSD_CHECK int result_model_find(const rsd_store *store, const result_model *m, bool *found);

/* tool_version, command_line, created_utc and seed as attributes. */
RSD_CHECK int provenance_write(rsd_store *store, const char *path, const char *command_line,
                               uint64_t seed);

/* Texts of the form "key=value,key=value", with their keys in one order: do both say the same?
 * Errors: RSD_EUSAGE with the first item that differs, in either text, behind `where`. */
RSD_CHECK int provenance_agree(const char *where, const char *held, const char *wanted);

/* The same of a text attribute.  Version 0.1.0 did not write all of them: where one is missing, all
 * that is asked is whether its algorithms, number 1, are wanted. */
RSD_CHECK int provenance_agree_at(const rsd_store *store, const char *path, const char *name,
                                  const char *where, const char *wanted);

/* SHA-256 of a text, its first 16 digits: what a long text is called in messages. */
typedef struct {
    char text[17];
} short_hash;
short_hash short_hash_of(const char *text);

#endif
