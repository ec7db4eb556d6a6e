# Error against bits per weight at the left, bits above the Gaussian bound at the right: a line per
# family of quantizers, and names beside points where there is room.
load scripts."/style.gp"
spec(k) = value(sprintf("spec_%d", k)) # row 0 is the line of names
set label 3 "bits per weight"
set label 4 "error  ‖{/:Italic W} − {/:Italic W_q}‖ / ‖{/:Italic W}‖"
do for [j=1:series] {
    set label 10+j "".series_title(j) at legend_x(j), legend_y(j) noenhanced
}
set label 11+series "2^{−{/:Italic R}}, Gaussian source" \
    at legend_x(series + 1), legend_y(series + 1)
plot for [j=1:series] $legend index j-1 with lines linetype j, \
     for [j=1:series] $legend index j-1 every ::1::1 with points linetype j pointsize 0.6, \
     $legend index series with lines linestyle 4
eval panels_begin

set xrange [x_min:x_max]
set xtics x_step
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    if (i == 1) {
        set logscale y
        set yrange [y_min:y_max]
        y_format = "%g"
        if (few_decades(y_min, y_max)) { eval numbers_at_2_and_5 }
    } else {
        unset logscale y
        set ytics autofreq
        set yrange [excess_min:excess_max]
    }
    plot $table index i-1 using 1:2 with lines linestyle 4, \
         for [j=1:series] $table index i-1 using 1:4+2*j with lines linetype j, \
         for [j=1:series] $table index i-1 using 1:3+2*j with points linetype j pointsize 0.6, \
         $table index i-1 using 3:4:(spec($0)) with labels left font "sans-serif,6" noenhanced
}
unset multiplot
