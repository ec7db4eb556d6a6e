# Overlap of trained adapters' subspaces with others of the same size, against rank.
load scripts."/style.gp"
gap_left = 0.3; gap_bottom = 0.2
set label 3 "rank" at (margin_left + page_width - margin_right) / 2, 0.3
set label 4 "overlap"
do for [j=1:series] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
plot $legend index 0 with lines linestyle 4, \
     for [j=2:series] $legend index j-1 with lines linetype j-1, \
     for [j=2:series] $legend index j-1 every ::1::1 with points linetype j-1 pointsize 0.6
eval panels_begin

set logscale x 2
set xrange [x_min:x_max]; set yrange [y_min:y_max]
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    plot $table index i-1 using 1:2 with lines linestyle 4, \
         for [j=2:series] $table index i-1 using 1:1+j with linespoints linetype j-1 pointsize 0.6
}
unset multiplot
