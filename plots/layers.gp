# A metric along depth: the panels W and R of each quantizer, a line per role.
load scripts."/style.gp"
gap_left = 0.34; gap_bottom = 0.2
set label 3 x_label at (margin_left + page_width - margin_right) / 2, 0.3
set label 4 y_label noenhanced
do for [j=1:series] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
plot for [j=1:series] $legend index j-1 with lines linetype j, \
     for [j=1:series] $legend index j-1 every ::1::1 with points linetype j pointsize 0.6
eval panels_begin

set xrange [x_min:x_max]
set xtics x_step
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    set yrange [value(sprintf("y_min_%d", i)):value(sprintf("y_max_%d", i))]
    plot for [j=1:series] $table index i-1 using 1:1+j with linespoints linetype j pointsize 0.6
}
unset multiplot
