/* Rotary positions of a GGUF model as the rope_scaling of a configuration. */
#include "io/gguf/config_parts.h"

#include <math.h>
#include <string.h>

static const char factors_name[] = "rope_freqs.weight";

/* What Llama 3 stretches its frequencies by, as its configuration says it. */
typedef struct {
    double factor, low, high, original;
} llama3;

/* ---- Llama 3 ----
 *
 * It divides its frequencies by numbers that the file gives as a tensor; its configuration gives
 * what they are computed from.  Number k of n belongs to the frequency theta^(-k/n) = f: it is 1
 * for high frequencies, factor for low ones, and 1 / ((1 - s) / factor + s) between them, where
 * s = (original f / 2 pi - low) / (high - low).  So s is linear in f, and two of the numbers
 * between the ends give back all that the others depend on; one does where low and high are those
 * of every release, and none where the original context is, too. */

static double frequency(double theta, size_t k, size_t n)
{
    return pow(theta, -(double)k / (double)n);
}

static double number(const uint8_t *data, size_t k)
{
    float given;
    memcpy(&given, data + k * sizeof given, sizeof given);
    return (double)given;
}

static double stretch(const llama3 *l, double f)
{
    const double s = (l->original * f / (2 * M_PI) - l->low) / (l->high - l->low);
    return s >= 1 ? 1 : s <= 0 ? l->factor : 1 / ((1 - s) / l->factor + s);
}

static bool fits(const llama3 *l, const uint8_t *data, size_t n, double theta)
{
    for (size_t k = 0; k < n; k++)
        if (!(fabs(number(data, k) / stretch(l, frequency(theta, k, n)) - 1) <= 1e-4))
            return false;
    return true;
}

/* s of number k; 0 or 1 where it is at an end. */
static double share(const llama3 *l, const uint8_t *data, size_t k)
{
    const double given = number(data, k), s = (1 / given - 1 / l->factor) / (1 - 1 / l->factor);
    return fabs(s) < 1e-5 ? 0 : fabs(s - 1) < 1e-5 ? 1 : s;
}

/* From the first and the last number between the ends; configurations have round numbers. */
static void solve(llama3 *l, const uint8_t *data, size_t n, double theta)
{
    size_t first = n, last = 0;
    for (size_t k = 0; k < n; k++) {
        const double s = share(l, data, k);
        if (s > 0 && s < 1) {
            first = first < n ? first : k;
            last = k;
        }
    }
    if (first == n)
        return;
    const double f = frequency(theta, first, n), s = share(l, data, first);
    if (first < last) {
        const double slope = (s - share(l, data, last)) / (f - frequency(theta, last, n));
        l->high = round(1e3 * (l->low + l->low / (slope * f - s))) / 1e3;
    }
    l->original = round((l->low + s * (l->high - l->low)) * 2 * M_PI / f);
}

static bool find_llama3(const rsd_gguf_found *t, double theta, llama3 *out)
{
    const size_t n = t->tensor->elements;
    const uint8_t *data = t->data + t->tensor->offset;
    if (strcmp(t->tensor->type->name, "f32") != 0 || !n)
        return false;
    *out = (llama3){ number(data, n - 1), 1, 4, 8192 };
    if (fits(out, data, n, theta))
        return true;
    solve(out, data, n, theta);
    return out->low < out->high && out->original >= 1 && out->original < 1e12 &&
           fits(out, data, n, theta);
}

static int put_llama3(json_t *scaling, const llama3 *l)
{
    RSD_TRY(rsd_gguf_config_put(scaling, "rope_type", json_string("llama3")));
    RSD_TRY(rsd_gguf_config_real(scaling, "factor", l->factor));
    RSD_TRY(rsd_gguf_config_real(scaling, "low_freq_factor", l->low));
    RSD_TRY(rsd_gguf_config_real(scaling, "high_freq_factor", l->high));
    return rsd_gguf_config_put(scaling, "original_max_position_embeddings",
                               json_integer((json_int_t)l->original));
}

/* ---- a factor for all frequencies ---- */

/* What positions are divided by: rope.scaling.factor, or how it was said at first; linear unless a
 * type says otherwise; 0 stands for 1.  Other types are left for the judge. */
static double linear_factor(rsd_gguf_keys *keys)
{
    double factor = 0, old = 0;
    rsd_gguf_keys_real(keys, "rope.scale_linear", &old);
    rsd_gguf_keys_real(keys, "rope.scaling.factor", &factor);
    if (!rsd_gguf_keys_has(keys, "rope.scaling.factor"))
        factor = old;
    const bool none = rsd_gguf_keys_has(keys, "rope.scaling.type") &&
                      rsd_gguf_keys_says(keys, "rope.scaling.type", "none");
    if (none || !rsd_gguf_keys_says(keys, "rope.scaling.type", "linear") || factor == 0)
        return 1;
    return factor;
}

/* The tensor that stretches the frequencies, which of these architectures Llama alone has. */
static int put_stretched(rsd_gguf_configuration *c, const rsd_gguf_found *t, double theta,
                         double factor, size_t rotated, json_t *scaling)
{
    const char *why = "frequencies of no known scaling";
    llama3 l;
    if (strcmp(c->keys.prefix, "llama") != 0)
        why = "frequencies that the architecture does not have";
    else if (factor != 1)
        why = "frequencies beside a scaling factor";
    else if (t->tensor->elements == rotated / 2 && find_llama3(t, theta, &l))
        return put_llama3(scaling, &l);
    return rsd_gguf_config_put(c->json, factors_name, json_string(why));
}

static int put_scaling(rsd_gguf_configuration *c, double theta, size_t rotated, json_t *scaling)
{
    const rsd_gguf_found *t = rsd_gguf_parts_find(c->parts, factors_name, strlen(factors_name));
    const double factor = linear_factor(&c->keys);
    if (t)
        return put_stretched(c, t, theta, factor, rotated, scaling);
    if (factor == 1)
        return RSD_OK;
    RSD_TRY(rsd_gguf_config_put(scaling, "rope_type", json_string("linear")));
    return rsd_gguf_config_real(scaling, "factor", factor);
}

int rsd_gguf_config_rope(rsd_gguf_configuration *c, const char *theta_name, size_t rotated)
{
    double theta = 10000;
    int err = RSD_OK;
    rsd_gguf_keys_real(&c->keys, "rope.freq_base", &theta);
    RSD_TRY(rsd_gguf_config_real(c->json, theta_name, theta));
    json_t *scaling = json_object();
    RSD_TRY_DONE(put_scaling(c, theta, rotated, scaling));
    if (json_object_size(scaling) && json_object_set(c->json, "rope_scaling", scaling))
        err = RSD_FAIL(RSD_ENOMEM, "configuration");
done:
    json_decref(scaling);
    return err;
}
