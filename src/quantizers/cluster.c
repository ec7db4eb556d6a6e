#include "quantizers/cluster.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The bits of x in an order that is x's own. */
static uint32_t key_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u >> 31 ? ~u : u | UINT32_C(0x80000000);
}

void rsd_weighted_sort(rsd_weighted *a, size_t n, rsd_weighted *scratch)
{
    enum { BITS = 8, BUCKETS = 1 << BITS };
    rsd_weighted *from = a, *to = scratch, *swap;
    for (int shift = 0; shift < 32; shift += BITS, swap = from, from = to, to = swap) {
        size_t start[BUCKETS + 1] = { 0 };
        for (size_t i = 0; i < n; i++)
            start[(key_of(from[i].x) >> shift & (BUCKETS - 1)) + 1]++;
        for (int b = 0; b < BUCKETS; b++)
            start[b + 1] += start[b];
        for (size_t i = 0; i < n; i++)
            to[start[key_of(from[i].x) >> shift & (BUCKETS - 1)]++] = from[i];
    }
}

/* A sorted array with prefix sums of its weights and of w x, and a clustering of it: cluster j
 * holds the points edge[j] <= i < edge[j+1]. */
typedef struct {
    const rsd_weighted *a;
    size_t n, k;
    const double *weight, *moment; /* [n+1] */
    size_t edge[RSD_CLUSTERS_MAX + 1];
    double centre[RSD_CLUSTERS_MAX];
} clusters;

/* How many points lie below x or at it. */
static size_t count_up_to(const clusters *c, double x)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if ((double)c->a[middle].x <= x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Every point to its nearest centre, a midpoint down; true if an edge moved. */
static bool assign(clusters *c)
{
    bool moved = false;
    for (size_t j = 1; j < c->k; j++) {
        const size_t edge = count_up_to(c, c->centre[j - 1] / 2 + c->centre[j] / 2);
        moved |= edge != c->edge[j];
        c->edge[j] = edge;
    }
    return moved;
}

/* Every centre to its mean; one without weight stays where it is. */
static void update(clusters *c)
{
    for (size_t j = 0; j < c->k; j++) {
        const double weight = c->weight[c->edge[j + 1]] - c->weight[c->edge[j]];
        if (weight > 0)
            c->centre[j] = (c->moment[c->edge[j + 1]] - c->moment[c->edge[j]]) / weight;
    }
}

/* What the cluster first <= i < end takes off sum w x^2. */
static double gain(const clusters *c, size_t first, size_t end)
{
    const double weight = c->weight[end] - c->weight[first];
    const double moment = c->moment[end] - c->moment[first];
    return weight > 0 ? moment / weight * moment : 0;
}

/* Places at which the start may part clusters: even steps in number, in weight and in value, so
 * that heavy points and far ones are told apart.  Ascending and distinct, 0 and n included. */
enum { STEPS = 128, PLACES = 3 * STEPS + 1 };

static size_t first_of_weight(const clusters *c, double weight)
{
    size_t low = 0, high = c->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (c->weight[middle + 1] < weight)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static size_t choose_places(const clusters *c, size_t place[PLACES])
{
    const double low = (double)c->a[0].x, high = (double)c->a[c->n - 1].x;
    size_t next[3] = { 1, 1, 1 }, count = 1;
    place[0] = 0;
    while (next[0] <= STEPS || next[1] <= STEPS || next[2] <= STEPS) {
        size_t at[3], least = c->n;
        for (int k = 0; k < 3; k++) {
            const double part = (double)next[k] / STEPS;
            at[k] = next[k] > STEPS ? c->n
                    : k == 0        ? (size_t)(part * (double)c->n)
                    : k == 1        ? first_of_weight(c, part * c->weight[c->n])
                                    : count_up_to(c, low + part * (high - low));
            least = at[k] < least ? at[k] : least;
        }
        for (int k = 0; k < 3; k++)
            next[k] += at[k] == least && next[k] <= STEPS;
        if (least > place[count - 1])
            place[count++] = least;
    }
    if (place[count - 1] < c->n)
        place[count++] = c->n;
    return count;
}

/* Of j clusters of the points before place[i], best[i] is what the best j take off, and from[i] the
 * place where the last of them begins.  Places move up with i, so halving the range of i halves
 * that of the places as well: O(n log n) a layer. */
typedef struct {
    const clusters *c;
    const size_t *place;
    const double *before; /* best of j - 1 */
    double *best;
    uint16_t *from;
} layer;

static void fill(const layer *l, size_t first, size_t last, size_t low, size_t high)
{
    const size_t i = first + (last - first) / 2, end = high < i ? high : i;
    size_t at = low;
    double most = -1;
    for (size_t p = low; p <= end; p++) {
        const double sum = l->before[p] + gain(l->c, l->place[p], l->place[i]);
        if (sum > most)
            most = sum, at = p;
    }
    l->best[i] = most;
    l->from[i] = (uint16_t)at;
    if (i > first)
        fill(l, first, i - 1, low, at);
    if (i < last)
        fill(l, i + 1, last, at, high);
}

/* The best clusters that part at the places only, by dynamic programming. */
static void start(clusters *c)
{
    size_t place[PLACES + 1];
    double best[2][PLACES + 1];
    uint16_t from[RSD_CLUSTERS_MAX][PLACES + 1];
    const size_t last = choose_places(c, place) - 1;
    for (size_t i = 0; i <= last; i++)
        best[0][i] = gain(c, 0, place[i]);
    for (size_t j = 1; j < c->k; j++)
        fill(&(layer){ c, place, best[(j + 1) % 2], best[j % 2], from[j] }, 0, last, 0, last);
    c->edge[c->k] = c->n;
    for (size_t j = c->k, i = last; j-- > 1;) {
        i = from[j][i];
        c->edge[j] = place[i];
    }
    c->edge[0] = 0;
    for (size_t j = 0; j < c->k; j++) /* for those without points or weight */
        c->centre[j] = (double)c->a[c->edge[j] < c->n ? c->edge[j] : c->n - 1].x;
}

static void iterate(clusters *c)
{
    enum { PASSES = 300 };
    int pass = 0;
    do
        update(c);
    while (assign(c) && ++pass < PASSES);
}

/* The values themselves where there are at most k, the last one repeated; false for more. */
static bool take_values(const rsd_weighted *a, size_t n, size_t k, double *centre)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && a[i].x == a[i - 1].x)
            continue;
        if (count == k)
            return false;
        centre[count++] = (double)a[i].x;
    }
    for (; count < k; count++)
        centre[count] = centre[count - 1];
    return true;
}

/* Means once more, cluster by cluster: differences of prefix sums lose the digits of small numbers
 * beside large ones. */
static void refine(const clusters *c, double *centre)
{
    for (size_t j = 0; j < c->k; j++) {
        double weight = 0, moment = 0, plain = 0;
        const size_t first = c->edge[j], end = c->edge[j + 1];
        for (size_t i = first; i < end; i++) {
            weight += (double)c->a[i].w;
            moment += (double)c->a[i].w * (double)c->a[i].x;
            plain += (double)c->a[i].x;
        }
        centre[j] = weight > 0    ? moment / weight
                    : end > first ? plain / (double)(end - first)
                                  : c->centre[j];
    }
}

void rsd_cluster(const rsd_weighted *a, size_t n, size_t k, double *sums, double *centre)
{
    if (take_values(a, n, k, centre))
        return;
    double *weight = sums, *moment = sums + n + 1;
    weight[0] = moment[0] = 0;
    for (size_t i = 0; i < n; i++) {
        weight[i + 1] = weight[i] + (double)a[i].w;
        moment[i + 1] = moment[i] + (double)a[i].w * (double)a[i].x;
    }
    clusters c = { .a = a, .n = n, .k = k, .weight = weight, .moment = moment };
    start(&c);
    iterate(&c);
    refine(&c, centre);
}
