# What every figure shares: colours, grid, where heading, legend and panels stand.
#
# The colours are those of Okabe & Ito (2008), which colour-blind readers tell apart; lines differ
# in dash, width or marker too, for print in grey.  Lengths are inches: page_*, margin_* come from
# the program, and gap_* are the room that a script leaves around its panels for titles and numbers.

set encoding utf8
set datafile separator tab
set datafile missing "NaN"
unset key

# Curves of W, W_q, R, of R's null, and its Marchenko-Pastur edge.  Dashes are in points; line ends
# are round, so that one of 0.2 is a dot.
set style line 1 linecolor rgb '#0072B2' linewidth 2.6 dashtype solid
set style line 2 linecolor rgb '#009E73' linewidth 1.3 dashtype (5,3.5)
set style line 3 linecolor rgb '#D55E00' linewidth 1.2 dashtype solid pointtype 7 pointsize 0.35
set style line 4 linecolor rgb '#BEBEBE' linewidth 4.5 dashtype solid
set style line 5 linecolor rgb '#000000' linewidth 0.9 dashtype (3,2.5)

# Quantizers, and roles: eight colours, then the same with another dash and marker.
set linetype 1 linecolor rgb '#E69F00' linewidth 1.5 dashtype solid pointtype 7
set linetype 2 linecolor rgb '#009E73' linewidth 1.5 dashtype (5,3.5) pointtype 5
set linetype 3 linecolor rgb '#CC79A7' linewidth 1.7 dashtype (0.2,3) pointtype 9
set linetype 4 linecolor rgb '#D55E00' linewidth 1.5 dashtype (6,3,0.2,3) pointtype 13
set linetype 5 linecolor rgb '#56B4E9' linewidth 1.5 dashtype solid pointtype 6
set linetype 6 linecolor rgb '#000000' linewidth 1.1 dashtype (5,3.5) pointtype 4
set linetype 7 linecolor rgb '#0072B2' linewidth 1.7 dashtype (0.2,3) pointtype 8
set linetype 8 linecolor rgb '#8C6D00' linewidth 1.5 dashtype (6,3,0.2,3) pointtype 12
set linetype 9 linecolor rgb '#E69F00' linewidth 1.7 dashtype (0.2,3) pointtype 11
set linetype 10 linecolor rgb '#009E73' linewidth 1.5 dashtype (6,3,0.2,3) pointtype 15
set linetype 11 linecolor rgb '#CC79A7' linewidth 1.5 dashtype solid pointtype 10
set linetype 12 linecolor rgb '#D55E00' linewidth 1.5 dashtype (5,3.5) pointtype 14
set linetype 13 linecolor rgb '#56B4E9' linewidth 1.7 dashtype (0.2,3) pointtype 7
set linetype 14 linecolor rgb '#000000' linewidth 1.1 dashtype (6,3,0.2,3) pointtype 5
set linetype 15 linecolor rgb '#0072B2' linewidth 1.5 dashtype solid pointtype 9
set linetype 16 linecolor rgb '#8C6D00' linewidth 1.5 dashtype (5,3.5) pointtype 13
set linetype cycle 16

# Edges of panel i, counted by rows from the upper left, as shares of the page.
gap_left = 0.1; gap_right = 0.14; gap_top = 0.2; gap_bottom = 0.06
cell_width = (page_width - margin_left - margin_right) / cols
cell_height = (page_height - margin_top - margin_bottom) / rows
col(i) = (i - 1) % cols
row(i) = (i - 1) / cols
edge_left(i) = (margin_left + col(i) * cell_width + gap_left) / page_width
edge_right(i) = (margin_left + (col(i) + 1) * cell_width - gap_right) / page_width
edge_top(i) = 1 - (margin_top + row(i) * cell_height + gap_top) / page_height
edge_bottom(i) = 1 - (margin_top + (row(i) + 1) * cell_height - gap_bottom) / page_height
first_in_row(i) = col(i) == 0
last_in_col(i) = i + cols > panels

# eval place(i) puts what is plotted next into panel i.
place(i) = sprintf("set lmargin at screen %f; set rmargin at screen %f; ".\
                   "set tmargin at screen %f; set bmargin at screen %f",\
                   edge_left(i), edge_right(i), edge_top(i), edge_bottom(i))
panel_title(i) = value(sprintf("panel_%d", i))
series_title(j) = value(sprintf("series_%d", j))

# eval numbers_at_2_and_5 puts these beside the powers of ten of a logarithmic y axis of few decades;
# y_format is how numbers are written, "" for none.
few_decades(low, high) = high < 60 * low
numbers_at_2_and_5 = "do for [e=-15:15] { set ytics add (sprintf(y_format, 2 * 10.0**e) 2 * 10.0**e, ".\
    "sprintf(y_format, 5 * 10.0**e) 5 * 10.0**e) }"

# The page as a whole: heading, names of the axes, legend, on axes in inches.  A script gives labels
# 3 and 4 the names of its axes, puts labels beside the legend's samples, plots these from $legend
# and evals panels_begin.
set multiplot
set lmargin at screen 0; set rmargin at screen 1; set tmargin at screen 1; set bmargin at screen 0
set xrange [0:page_width]; set yrange [0:page_height]
unset border; unset tics
set label 1 title at page_width / 2, page_height - 0.16 center noenhanced font "sans-serif:Bold,10"
set label 2 subtitle at page_width / 2, page_height - 0.36 center noenhanced
set label 3 "" at (margin_left + page_width - margin_right) / 2, 0.12 center
set label 4 "" at 0.12, (page_height - margin_top + margin_bottom) / 2 center rotate by 90
legend_x(j) = value(sprintf("legend_x_%d", j))
legend_y(j) = value(sprintf("legend_y_%d", j))
panels_begin = "unset label; set format '%g'; set border 3 linewidth 0.6 linecolor rgb '#404040'; ".\
    "set grid back linetype 1 linewidth 0.4 linecolor rgb '#D4D4D4' dashtype solid; ".\
    "set xtics scale 0.5 nomirror offset 0,0.3 textcolor rgb 'black'; ".\
    "set ytics scale 0.5 nomirror offset 0.4,0 textcolor rgb 'black'"
