/* Private to src/io/tokens.  The steps that a pre-tokenizer is made of: shared by the file that
 * reads them and the one that takes them. */
#ifndef RSD_IO_PRETOKENIZE_PRIVATE_H
#define RSD_IO_PRETOKENIZE_PRIVATE_H

#include "io/tokens/regex.h"
#include "io/tokens/text.h"

/* What becomes of the matches of a split, in the order of the file's names in parse_behavior. */
typedef enum {
    RSD_SPLIT_REMOVED,
    RSD_SPLIT_ISOLATED,
    RSD_SPLIT_MERGED_WITH_PREVIOUS,
    RSD_SPLIT_MERGED_WITH_NEXT,
    RSD_SPLIT_CONTIGUOUS
} rsd_split_behavior;

/* Where Metaspace begins text with its character: everywhere, at the document's begin, nowhere. */
typedef enum { RSD_META_ALWAYS, RSD_META_FIRST, RSD_META_NEVER } rsd_meta_scheme;

typedef struct {
    enum { RSD_STEP_SPLIT, RSD_STEP_PREFIX, RSD_STEP_META, RSD_STEP_BYTES } kind;
    rsd_regex *pattern; /* split */
    rsd_split_behavior behavior;
    bool invert;            /* what lies between the matches is what is split off */
    rsd_meta_scheme scheme; /* meta: its character, of n bytes */
    uint8_t meta[4];
    size_t n;
    rsd_text text; /* what prefix, meta and bytes write */
} rsd_pretokenizer_step;

struct rsd_pretokenizer {
    rsd_pretokenizer_step *step;
    size_t count, capacity;
};

#endif
