#include "opt.h"

#include "alloc.h"
#include "near.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { TEXT_MAX = 1024 };

static void *field(const rsd_opt *opt, void *obj) { return (char *)obj + opt->offset; }

static const void *field_const(const rsd_opt *opt, const void *obj)
{
    return (const char *)obj + opt->offset;
}

/* Index of value among the words "a|b|c", whatever its capitals, or -1. */
static int word_index(const char *words, const char *value)
{
    const size_t n = strlen(value);
    int k = 0;
    for (const char *w = words; w && *w; k++) {
        const size_t len = strcspn(w, "|");
        if (len == n && strncasecmp(w, value, n) == 0)
            return k;
        w += len + (w[len] == '|');
    }
    return -1;
}

static int word_print(const char *words, int k, char *out, size_t size)
{
    while (k-- > 0)
        words += strcspn(words, "|") + 1;
    return snprintf(out, size, "%.*s", (int)strcspn(words, "|"), words);
}

/* Are there words in .arg beside a number? */
static bool has_words(const rsd_opt *opt) { return opt->arg && strchr(opt->arg, '|'); }

static int out_of_range(const rsd_opt *opt, const char *value, bool below)
{
    return RSD_FAIL(RSD_EUSAGE, "%s=%s: it must be at %s %.10g (%.10g to %.10g%s%s)", opt->name,
                    value, below ? "least" : "most", below ? opt->min : opt->max, opt->min,
                    opt->max, has_words(opt) ? ", or one of " : "", has_words(opt) ? opt->arg : "");
}

/* The word of "a|b|c" that was probably meant. */
static int no_such_word(const rsd_opt *opt, const char *value, const char *what)
{
    rsd_near near = { .word = value };
    char words[TEXT_MAX], *at = words;
    snprintf(words, sizeof words, "%s", has_words(opt) ? opt->arg : "");
    for (char *word; (word = strsep(&at, "|")) != NULL;)
        rsd_near_try(&near, word);
    return RSD_FAIL(RSD_EUSAGE, "%s=%s is %s%s%s", opt->name, value, what,
                    has_words(opt) ? opt->arg : "", rsd_near_hint(&near).text);
}

/* "512", "512M", "4G", "4GB" in megabytes, which is what an option in MB holds. */
static int set_megabytes(const rsd_opt *opt, double *out, const char *value)
{
    static const char units[] = "kmgt";
    char *end;
    double mb = strtod(value, &end);
    const char *unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
    if (unit) {
        for (const char *u = units; u < unit; u++)
            mb *= 1000;
        mb /= 1000; /* k is a thousandth */
        end++;
        end += tolower((unsigned char)*end) == 'b';
    }
    if (end == value || *end || !isfinite(mb))
        return RSD_FAIL(RSD_EUSAGE, "%s=%s: a number of megabytes, or with a unit: 512M, 4G",
                        opt->name, value);
    if (mb < opt->min || mb > opt->max)
        return out_of_range(opt, value, mb < opt->min);
    *out = mb;
    return RSD_OK;
}

static bool is_memory(const rsd_opt *opt) { return opt->arg && strcmp(opt->arg, "MB") == 0; }

static int set_size(const rsd_opt *opt, size_t *out, const char *value)
{
    if (is_memory(opt)) {
        double mb;
        RSD_TRY(set_megabytes(opt, &mb, value));
        *out = (size_t)ceil(mb);
        return RSD_OK;
    }
    const int k = has_words(opt) ? word_index(opt->arg, value) : -1;
    if (k >= 0) {
        *out = RSD_WORD(k);
        return RSD_OK;
    }
    char *end;
    errno = 0;
    const bool below = *value == '-';
    const unsigned long long v = strtoull(value + below, &end, 10);
    if (*end || !isdigit((unsigned char)value[below]))
        return no_such_word(opt, value,
                            has_words(opt) ? "neither a whole number nor one of "
                                           : "not a whole number");
    if (below || errno || (double)v < opt->min || (double)v > opt->max)
        return out_of_range(opt, value, below || (!errno && (double)v < opt->min));
    *out = (size_t)v;
    return RSD_OK;
}

/* Words of a REAL: the last of .arg stands for the number. */
static int real_words(const rsd_opt *opt)
{
    int n = 0;
    for (const char *w = has_words(opt) ? opt->arg : ""; *w; w++)
        n += *w == '|';
    return n;
}

static int set_real(const rsd_opt *opt, double *out, const char *value)
{
    if (is_memory(opt))
        return set_megabytes(opt, out, value);
    const int k = word_index(opt->arg, value);
    if (k >= 0 && k < real_words(opt)) {
        *out = RSD_REAL_WORD(k);
        return RSD_OK;
    }
    char *end;
    const double v = strtod(value, &end);
    if (end == value || *end || !isfinite(v))
        return no_such_word(opt, value,
                            has_words(opt) ? "neither a number nor one of " : "not a number");
    if (v < opt->min || v > opt->max)
        return out_of_range(opt, value, v < opt->min);
    *out = v;
    return RSD_OK;
}

int rsd_opt_set(const rsd_opt *opt, void *obj, const char *value)
{
    void *f = field(opt, obj);
    if (opt->type == RSD_OPT_FLAG) {
        if (value && strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
            return RSD_FAIL(RSD_EUSAGE, "%s is a flag: '%s' is neither 0 nor 1", opt->name, value);
        *(bool *)f = !value || *value == '1';
        return RSD_OK;
    }
    if (!value || !*value)
        return RSD_FAIL(RSD_EUSAGE, "%s needs a value (%s)", opt->name, opt->arg);
    switch (opt->type) {
    case RSD_OPT_SIZE:
        return set_size(opt, f, value);
    case RSD_OPT_REAL:
        return set_real(opt, f, value);
    case RSD_OPT_CHOICE: {
        const int k = word_index(opt->arg, value);
        if (k < 0)
            return no_such_word(opt, value, "not one of ");
        *(int *)f = k;
        return RSD_OK;
    }
    case RSD_OPT_STRING:
        *(const char **)f = value;
        return RSD_OK;
    default:
        return rsd_list_add(f, value);
    }
}

const rsd_opt *rsd_opt_find(const rsd_opt *table, const char *name)
{
    for (; table->name; table++)
        if (strcasecmp(table->name, name) == 0)
            return table;
    return NULL;
}

static int unknown_key(const rsd_opt *table, const char *key)
{
    char known[256] = "";
    size_t used = 0;
    rsd_near near = { .word = key };
    for (; table->name && used < sizeof known; table++) {
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                 table->name);
        rsd_near_try(&near, table->name);
    }
    return RSD_FAIL(RSD_EUSAGE, "unknown key '%s'; known: %s%s", key, *known ? known : "none",
                    rsd_near_hint(&near).text);
}

int rsd_opt_parse(const rsd_opt *table, void *obj, const char *text)
{
    uint64_t seen = 0; /* a table has fewer than 64 rows */
    while (*text) {
        char item[TEXT_MAX];
        const size_t len = strcspn(text, ",");
        if (len >= sizeof item)
            return RSD_FAIL(RSD_EUSAGE, "an item of %zu characters in a list of options", len);
        memcpy(item, text, len);
        item[len] = 0;
        text += len + (text[len] == ',');

        char *value = strchr(item, '=');
        if (value)
            *value++ = 0;
        const rsd_opt *opt = rsd_opt_find(table, item);
        if (!opt)
            return unknown_key(table, item);
        if (opt->type == RSD_OPT_STRING || opt->type == RSD_OPT_LIST)
            return RSD_FAIL(RSD_EUSAGE, "%s cannot be given inside a list of options", item);
        const uint64_t bit = UINT64_C(1) << (opt - table);
        if (seen & bit)
            return RSD_FAIL(RSD_EUSAGE, "%s is given twice", item);
        seen |= bit;
        RSD_TRY(rsd_opt_set(opt, obj, value));
    }
    return RSD_OK;
}

static size_t print_list(const rsd_list *list, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < list->count; i++) {
        const size_t room = used < size ? size - used : 0;
        used +=
            (size_t)snprintf(room ? out + used : NULL, room, "%s%s", i ? "," : "", list->item[i]);
    }
    return used;
}

size_t rsd_opt_value(const rsd_opt *opt, const void *obj, char *out, size_t size)
{
    const void *f = field_const(opt, obj);
    if (size)
        *out = 0;
    switch (opt->type) {
    case RSD_OPT_FLAG:
        return (size_t)snprintf(out, size, "%d", *(const bool *)f);
    case RSD_OPT_SIZE: {
        const size_t v = *(const size_t *)f;
        if (has_words(opt) && v > SIZE_MAX - 16)
            return (size_t)word_print(opt->arg, (int)(SIZE_MAX - v), out, size);
        return (size_t)snprintf(out, size, "%zu", v);
    }
    case RSD_OPT_REAL: {
        /* the shortest text that reads back to the same number */
        const double v = *(const double *)f;
        for (int k = 0; k < real_words(opt); k++)
            if (v == RSD_REAL_WORD(k))
                return (size_t)word_print(opt->arg, k, out, size);
        char text[40];
        for (int digits = 6; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, v);
            if (strtod(text, NULL) == v)
                break;
        }
        return (size_t)snprintf(out, size, "%s", text);
    }
    case RSD_OPT_CHOICE:
        return (size_t)word_print(opt->arg, *(const int *)f, out, size);
    case RSD_OPT_STRING: {
        const char *s = *(const char *const *)f;
        return (size_t)snprintf(out, size, "%s", s ? s : "");
    }
    default:
        return print_list(f, out, size);
    }
}

size_t rsd_opt_format(const rsd_opt *table, const void *obj, char *out, size_t size)
{
    size_t used = 0;
    if (size)
        *out = 0;
    for (const rsd_opt *opt = table; opt->name; opt++) {
        if (opt->type == RSD_OPT_FLAG && !*(const bool *)field_const(opt, obj))
            continue;
        char value[TEXT_MAX];
        rsd_opt_value(opt, obj, value, sizeof value);
        const size_t room = used < size ? size - used : 0;
        const char *comma = used ? "," : "";
        used += (size_t)(opt->type == RSD_OPT_FLAG
                             ? snprintf(room ? out + used : NULL, room, "%s%s", comma, opt->name)
                             : snprintf(room ? out + used : NULL, room, "%s%s=%s", comma, opt->name,
                                        value));
    }
    return used;
}

int rsd_list_add(rsd_list *list, const char *item)
{
    RSD_TRY(rsd_room(&list->item, list->count, 1, sizeof *list->item));
    list->item[list->count++] = item;
    return RSD_OK;
}

void rsd_list_free(rsd_list *list)
{
    free(list->item);
    *list = (rsd_list){ 0 };
}
