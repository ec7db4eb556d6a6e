/* Writes stories: stories SEED WORDS   at least so many words, on standard output, with
 * <|endoftext|> between two stories.
 *
 * A small language that a small model can nearly learn, and that leaves it no number to spare:
 * names, objects, places and quantities are chosen once per story and come back later, pronouns and
 * verbs agree, numbers are added, causes have their effects; every list has a long tail of rare
 * words.
 *
 * A pattern is text in which
 *   {a|b|c}   one of them, nested as deep as you like; all equally likely
 *   <list>    a word of that list, the first ones most often; <list.1> to <list.9> the same one
 *             again
 *   $x        something that the story has chosen: see cast
 *   @         "a" or "an" before what follows
 * and sentences are capitalised afterwards. */
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stories.h"

typedef struct {
    uint64_t random;
    const char *slot[128];     /* $x */
    const char *again[64][10]; /* <list.k> */
    char *text;
    size_t length, capacity;
} story;

/* splitmix64 */
static uint64_t draw(story *s)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static size_t below(story *s, size_t n) { return (size_t)(draw(s) % n); }

/* Index below n; the first tenth is about four times as likely as if all were equal. */
static size_t skewed(story *s, size_t n)
{
    const double u = (double)(draw(s) >> 11) * 0x1p-53;
    return (size_t)((double)n * u * sqrt(u));
}

static void put(story *s, char c)
{
    if (s->length + 1 >= s->capacity) {
        s->capacity = 2 * s->capacity + 4096;
        s->text = realloc(s->text, s->capacity);
        if (!s->text)
            exit(1);
    }
    s->text[s->length++] = c;
    s->text[s->length] = 0;
}

static const char *word(story *s, const list *l)
{
    size_t n = 0;
    while (l->word[n])
        n++;
    return l->word[skewed(s, n)];
}

static const list *find(const char *name, size_t length)
{
    for (const list *l = lists; l->name; l++)
        if (strlen(l->name) == length && memcmp(l->name, name, length) == 0)
            return l;
    fprintf(stderr, "stories: no list <%.*s>\n", (int)length, name);
    exit(2);
}

static const char *expand(story *s, const char *p);

/* The end of the alternatives that begin at p: behind the closing brace. */
static const char *skip(const char *p, size_t wanted, const char **start)
{
    size_t depth = 1, index = 0;
    *start = p;
    for (; depth; p++) {
        depth += *p == '{';
        depth -= *p == '}';
        if (*p == '|' && depth == 1 && ++index == wanted)
            *start = p + 1;
    }
    return p;
}

static const char *choose(story *s, const char *p)
{
    size_t depth = 1, count = 1;
    for (const char *q = p; depth; q++) {
        if (!*q) {
            fprintf(stderr, "stories: { without } at %.40s\n", p);
            exit(2);
        }
        depth += *q == '{';
        depth -= *q == '}';
        count += *q == '|' && depth == 1;
    }
    const char *start, *end = skip(p, below(s, count), &start);
    expand(s, start);
    return end;
}

static const char *list_word(story *s, const char *p)
{
    const size_t n = strcspn(p, ".>");
    const list *l = find(p, n);
    const size_t k = p[n] == '.' ? (size_t)(p[n + 1] - '0') : 0;
    const char **again = &s->again[l - lists][k];
    if (!k || !*again)
        *again = word(s, l);
    expand(s, *again);
    return p + n + (k ? 3 : 1);
}

/* Up to the end of the text or of the alternative that it is in. */
static const char *expand(story *s, const char *p)
{
    while (*p && *p != '|' && *p != '}') {
        if (*p == '{')
            p = choose(s, p + 1);
        else if (*p == '<')
            p = list_word(s, p + 1);
        else if (*p == '$') {
            expand(s, s->slot[(unsigned char)p[1]]);
            p += 2;
        } else
            put(s, *p++);
    }
    return p;
}

/* Articles, double spaces and capitals, as they go out. */
static size_t print(const story *s)
{
    int sentence = 1, space = 1;
    size_t words = 0;
    for (const char *p = s->text; *p; p++) {
        if (*p == ' ' && (space || strchr(".,!?", p[1])))
            continue;
        words += *p == ' ';
        space = *p == ' ';
        if (*p == '@') {
            const char *next = p + 1 + strspn(p + 1, " ");
            fputs(sentence ? "A" : "a", stdout);
            if (strchr("aeiouAEIOU", *next))
                putchar('n');
            sentence = 0;
            continue;
        }
        putchar(sentence ? toupper((unsigned char)*p) : *p);
        if (isalnum((unsigned char)*p))
            sentence = 0;
        if (strchr(".!?", *p) && p[1] == ' ')
            sentence = 1;
        if (*p == '.' && p[1] == '"') /* a question or a cry is followed by who asked or cried */
            sentence = 1;
        if (*p == '"' && p > s->text && p[-1] == ' ')
            sentence = 1; /* speech begins */
    }
    return words + 1;
}

/* clang-format off */
static const char *const numbers[] = {
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
};
/* clang-format on */

/* Name and the four pronouns of a person into slots. */
static void person(story *s, const char *slots, const char * not )
{
    const int female = (int)below(s, 2);
    const list *l = female ? find("girl", 4) : find("boy", 3);
    const char *name;
    do
        name = word(s, l);
    while (not &&strcmp(name, not ) == 0);
    s->slot[(unsigned char)slots[0]] = name;
    s->slot[(unsigned char)slots[1]] = female ? "she" : "he";
    s->slot[(unsigned char)slots[2]] = female ? "her" : "him";
    s->slot[(unsigned char)slots[3]] = female ? "her" : "his";
    s->slot[(unsigned char)slots[4]] = female ? "girl" : "boy";
}

/* What a story chooses: hero $n $e $m $r $g (name, three pronouns, girl or boy), friend $N $E $M $R
 * $G, object $o of colour $c, places $p and $P, animal $a, food $F (plural), elder $k, weather $w,
 * quality $q, trade $t, numbers $1 + $2 = $3 and $3 - $4 = $5. */
static void cast(story *s)
{
    static const char *const one[] = { "o", "c", "p", "a", "k", "w", "F", "q", "t" };
    static const char *const from[] = { "object",  "colour", "place",   "animal", "elder",
                                        "weather", "foods",  "quality", "trade" };
    memset(s->again, 0, sizeof s->again);
    person(s, "nemrg", NULL);
    person(s, "NEMRG", s->slot['n']);
    for (size_t i = 0; i < sizeof one / sizeof *one; i++)
        s->slot[(unsigned char)*one[i]] = word(s, find(from[i], strlen(from[i])));
    do
        s->slot['P'] = word(s, find("place", 5));
    while (s->slot['P'] == s->slot['p']);
    const size_t a = 2 + below(s, 7), b = 2 + below(s, 7), c = 1 + below(s, a + b - 2);
    s->slot['1'] = numbers[a];
    s->slot['2'] = numbers[b];
    s->slot['3'] = numbers[a + b];
    s->slot['4'] = numbers[c];
    s->slot['5'] = numbers[a + b - c];
}

static void sentence(story *s, const char *pattern)
{
    expand(s, pattern);
    put(s, ' ');
}

/* Opening, the plot's sentences with something between them now and then, an end. */
static void tell(story *s)
{
    const char *const *plot = plots[below(s, PLOTS)];
    s->length = 0;
    cast(s);
    sentence(s, openings[below(s, OPENINGS)]);
    if (below(s, 3))
        sentence(s, asides[below(s, ASIDES)]);
    for (; *plot; plot++) {
        sentence(s, *plot);
        if (below(s, 4) == 0)
            sentence(s, asides[below(s, ASIDES)]);
    }
    expand(s, endings[below(s, ENDINGS)]);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: stories SEED WORDS\n", stderr);
        return 2;
    }
    story s = { .random = strtoull(argv[1], NULL, 10) };
    const size_t wanted = strtoull(argv[2], NULL, 10);
    for (size_t words = 0; words < wanted;) {
        tell(&s);
        words += print(&s);
        puts("\n<|endoftext|>");
    }
    free(s.text);
    return fclose(stdout) ? 1 : 0;
}
