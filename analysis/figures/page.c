/* Pages: tables and variables, as text that gnuplot reads. */
#include "figures/page.h"

#include "alloc.h"
#include "cli/printable.h"
#include "figures/caption.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Inches. */
static const double text_size = 9.0 / 72, heading_size = 10.0 / 72, line = 0.17;
static const double sample = 0.36, sample_gap = 0.07, entry_gap = 0.2; /* of the legend */
static const double margin_left = 0.58, margin_right = 0.15, margin_bottom = 0.46;
static const double heading_height = 0.5, legend_gap = 0.05, least_width = 5.5;

static int no_memory(const page *p) { return RSD_FAIL(RSD_ENOMEM, "page of figure %s", p->figure); }

int page_open(page *p, const char *figure, const char *const parts[3])
{
    *p = (page){ .figure = figure, .script = figure };
    const char *const *s = parts;
    RSD_TRY(rsd_format(&p->name, "%s%s%s%s%s%s%s", figure, *s[0] ? "-" : "", s[0], *s[1] ? "-" : "",
                       s[1], *s[2] ? "-" : "", s[2]));
    caption_file_name(p->name);
    p->settings = open_memstream(&p->settings_text, &p->settings_size);
    p->table = open_memstream(&p->table_text, &p->table_size);
    if (!p->settings || !p->table)
        return no_memory(p);
    return RSD_OK;
}

void page_free(page *p)
{
    if (p->settings)
        fclose(p->settings);
    if (p->table)
        fclose(p->table);
    free(p->settings_text);
    free(p->table_text);
    free(p->legend);
    free(p->name);
    *p = (page){ 0 };
}

/* In single quotes gnuplot expands nothing; a quote is doubled, and a line must not end.  Names
 * come out of files, and SVG is no XML when it holds what is no UTF-8. */
void page_put_quoted(FILE *f, const char *s)
{
    char *shown;
    if (printable_copy(s, &shown))
        shown = NULL;
    fputc('\'', f);
    for (const char *p = shown ? shown : "out of memory"; *p; p++) {
        if (*p == '\'')
            fputc('\'', f);
        fputc(*p, f);
    }
    fputs("'\n", f);
    free(shown);
}

void page_text(page *p, const char *name, const char *value)
{
    fprintf(p->settings, "%s = ", name);
    page_put_quoted(p->settings, value);
}

void page_heading(page *p, const char *title, const char *fmt, ...)
{
    char *subtitle = NULL;
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    const int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    p->starved |= n < 0 || rsd_zeroed((size_t)n + 1, 1, &subtitle);
    if (subtitle) {
        vsnprintf(subtitle, (size_t)n + 1, fmt, ap);
        page_text(p, "title", title);
        page_text(p, "subtitle", subtitle);
        p->heading = fmax(heading_size * caption_width(title), text_size * caption_width(subtitle));
    }
    va_end(ap);
    free(subtitle);
}

static void put_number(FILE *f, double x)
{
    if (isfinite(x))
        fprintf(f, "%.9g", x);
    else
        fputs("NaN", f);
}

void page_number(page *p, const char *name, double value)
{
    fprintf(p->settings, "%s = ", name);
    put_number(p->settings, value);
    fputc('\n', p->settings);
}

void page_range(page *p, char axis, double low, double high)
{
    page_number(p, (char[]){ axis, '_', 'm', 'i', 'n', 0 }, low);
    page_number(p, (char[]){ axis, '_', 'm', 'a', 'x', 0 }, high);
}

void page_element(page *p, const char *name, size_t i, const char *value)
{
    fprintf(p->settings, "%s_%zu = ", name, i);
    page_put_quoted(p->settings, value);
}

void page_legend(page *p, const char *text)
{
    if (rsd_room(&p->legend, p->entries, 1, sizeof *p->legend)) {
        p->starved = true;
        return;
    }
    p->legend[p->entries++] = sample + sample_gap + text_size * caption_width(text) + entry_gap;
}

void page_series(page *p, size_t i, const char *text)
{
    page_element(p, "series", i, text);
    page_legend(p, text);
}

/* Tabs and line ends in a name would shift the table. */
static void put_field(FILE *f, const char *s)
{
    for (; *s; s++)
        fputc((unsigned char)*s < ' ' ? ' ' : *s, f);
}

void page_panel(page *p, const char *title, const char *const *columns, size_t count)
{
    if (p->panels++)
        fputs("\n\n", p->table);
    p->columns = count;
    for (size_t i = 0; i < count; i++) {
        put_field(p->table, columns[i]);
        fputc(i + 1 < count ? '\t' : '\n', p->table);
    }
    page_element(p, "panel", p->panels, title);
}

void page_row(page *p, const double *x)
{
    for (size_t i = 0; i < p->columns; i++) {
        put_number(p->table, x[i]);
        fputc(i + 1 < p->columns ? '\t' : '\n', p->table);
    }
}

size_t page_pick(size_t i, size_t count, size_t limit)
{
    return count <= limit || limit < 2 ? i : (2 * i * (count - 1) + limit - 1) / (2 * (limit - 1));
}

/* Between a square and twice as wide as high: as few empty places as can be. */
static size_t best_cols(size_t panels)
{
    const size_t first = (size_t)ceil(sqrt((double)panels));
    const size_t last = (size_t)ceil(sqrt(2.0 * (double)panels));
    size_t best = first, least = SIZE_MAX;
    for (size_t cols = first; cols <= last; cols++) {
        const size_t empty = (panels + cols - 1) / cols * cols - panels;
        if (empty < least) {
            best = cols;
            least = empty;
        }
    }
    return best;
}

/* How many entries from `first` on fit on a line, at least one, and their width. */
static size_t fill_line(const page *p, size_t first, double *width)
{
    size_t n = 0;
    const double room = p->width - 2 * margin_right + entry_gap;
    *width = 0;
    while (first + n < p->entries && (n == 0 || *width + p->legend[first + n] <= room))
        *width += p->legend[first + n++];
    *width -= entry_gap;
    return n;
}

static size_t legend_lines(const page *p)
{
    size_t lines = 0;
    double width;
    for (size_t i = 0; i < p->entries; lines++)
        i += fill_line(p, i, &width);
    return lines;
}

/* Every line of the legend is centred under the heading. */
static void put_legend(page *p)
{
    FILE *f = p->settings;
    double width, y = p->height - heading_height - 0.5 * line;
    fputs("$legend << END_OF_LEGEND\n", f);
    for (size_t i = 0, n; i < p->entries; i += n, y -= line) {
        n = fill_line(p, i, &width);
        double x = 0.5 * (p->width - width);
        for (size_t k = i; k < i + n; x += p->legend[k++])
            fprintf(f, "%s%g\t%g\n%g\t%g\n%g\t%g\n", k ? "\n\n" : "", x, y, x + sample / 2, y,
                    x + sample, y);
    }
    fputs("END_OF_LEGEND\n", f);
    y = p->height - heading_height - 0.5 * line;
    for (size_t i = 0, n; i < p->entries; i += n, y -= line) {
        n = fill_line(p, i, &width);
        double x = 0.5 * (p->width - width) + sample + sample_gap;
        for (size_t k = i; k < i + n; x += p->legend[k++])
            fprintf(f, "legend_x_%zu = %g\nlegend_y_%zu = %g\n", k + 1, x, k + 1, y);
    }
}

int page_finish(page *p, page_shape shape)
{
    const size_t panels = p->panels ? p->panels : 1;
    const size_t cols = shape.cols ? shape.cols : best_cols(panels);
    const size_t rows = (panels + cols - 1) / cols;
    const double grow = cols <= 2 ? 1.7 : cols == 3 ? 1.3 : 1; /* few panels: larger ones */
    const double wanted =
        margin_left + margin_right + shape.right + grow * shape.width * (double)cols;
    p->width = fmax(fmax(wanted, p->heading + 2 * margin_right), least_width);
    const double margin_top = heading_height + line * (double)legend_lines(p) + legend_gap;
    p->height = margin_top + margin_bottom + grow * shape.height * (double)rows;

    page_number(p, "panels", (double)p->panels);
    page_number(p, "cols", (double)cols);
    page_number(p, "rows", (double)rows);
    page_number(p, "page_width", p->width);
    page_number(p, "page_height", p->height);
    page_number(p, "margin_left", margin_left);
    page_number(p, "margin_right", margin_right + shape.right);
    page_number(p, "margin_top", margin_top);
    page_number(p, "margin_bottom", margin_bottom);
    put_legend(p);
    const int bad = fflush(p->settings) | fflush(p->table) | ferror(p->settings) | ferror(p->table);
    return bad || p->starved ? no_memory(p) : RSD_OK;
}
