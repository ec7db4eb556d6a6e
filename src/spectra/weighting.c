#include "spectra/weighting.h"

#define NAME(constant, name) name,
static const char *const names[RSD_WEIGHTINGS] = { RSD_WEIGHTING_LIST(NAME) };

const char *rsd_weighting_name(rsd_weighting_kind kind) { return names[kind]; }
