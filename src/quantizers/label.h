/* The short name of a quantizer with its options: in tables, in figures, and in the names of groups
 * of result files. */
#ifndef RSD_QUANTIZERS_LABEL_H
#define RSD_QUANTIZERS_LABEL_H

/* The shortest SPEC whose canonical form is this one: "nf4" for "nf:bits=4,block=64", "nf4:double";
 * the text itself where no quantizer of this program knows it.  Caller frees; NULL: no memory. */
char *rsd_spec_label(const char *canonical);

#endif
