#include "io/tokens/pattern.h"

#include "io/json.h"

int rsd_pattern_read(const json_t *j, const char *what, rsd_regex **out)
{
    static const char *const known[] = { "String", "Regex", NULL };
    const json_t *pattern = json_object_get(j, "pattern");
    const char *text;
    size_t n;
    RSD_TRY(rsd_json_known(pattern, "pattern", known));
    if (json_object_size(pattern) != 1)
        return RSD_FAIL(RSD_EFORMAT, "%s: 'pattern' is neither a String nor a Regex", what);
    const bool literal = json_object_get(pattern, "String") != NULL;
    RSD_TRY(rsd_json_string(pattern, what, literal ? "String" : "Regex", &text, &n));
    const int err =
        rsd_regex_compile(literal ? RSD_REGEX_LITERAL : RSD_REGEX_ONIGURUMA, text, n, out);
    return err ? rsd_fail_prefix(err, "%s", what) : RSD_OK;
}
