# Relative error (above) and bits per weight (below) of every quantizer: a column per role.
load scripts."/style.gp"
cell_height = cell_height / 2
middle(i) = 0.5 * (edge_top(i) + edge_bottom(i)) * page_height
set label 3 x_label
set label 4 "error  ‖{/:Italic W} − {/:Italic W_q}‖ / ‖{/:Italic W}‖" \
    at 0.12, middle(1)
set label 5 "bits per weight" at 0.12, middle(1 + cols) center rotate by 90
do for [j=1:series] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
plot for [j=1:series] $legend index j-1 with lines linetype j, \
     for [j=1:series] $legend index j-1 every ::1::1 with points linetype j pointsize 0.6
eval panels_begin

set xrange [x_min:x_max]
set xtics x_step
do for [i=1:panels] {
    y_format = first_in_row(i) ? "%g" : ""
    set format y y_format

    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    set logscale y
    set ytics autofreq
    if (few_decades(y_min, y_max)) { eval numbers_at_2_and_5 }
    set yrange [y_min:y_max]
    set format x ""
    plot for [j=1:series] $table index i-1 using 1:1+j with linespoints linetype j pointsize 0.6

    eval place(i + cols)
    unset title
    unset logscale y
    set yrange [0:bits_max]
    set ytics bits_step
    set format x "%g"
    plot for [j=1:series] $table index i-1 using 1:1+series+j \
             with linespoints linetype j pointsize 0.6
}
unset multiplot
