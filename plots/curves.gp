# A curve of W, W_q and R along rank, a panel per layer: x_label and y_label say which; `logarithmic`
# is of the y axis; quantized, nulls, bands and edges say whether there are such curves, own_axis whether the last panel, the control's, has its own numbers at its right.
load scripts."/style.gp"
set label 3 x_label
set label 4 y_label
set label 11 "{/:Italic W}" at legend_x(1), legend_y(1)
if (quantized) {
    set label 12 "{/:Italic W_q}" at legend_x(2), legend_y(2)
    set label 13 "{/:Italic R} = {/:Italic W} − {/:Italic W_q}" at legend_x(3), legend_y(3)
}
if (nulls) {
    set label 14 null_title at legend_x(4), legend_y(4) noenhanced
}
if (edges) {
    set label 15 "Marchenko–Pastur edge of {/:Italic R}" \
        at legend_x(4 + nulls), legend_y(4 + nulls)
}
plot $legend index 0 with lines linestyle 1, \
     for [j=1:quantized] $legend index 1 with lines linestyle 2, \
     for [j=1:quantized] $legend index 2 with lines linestyle 3, \
     for [j=1:quantized] $legend index 2 every ::1::1 with points linestyle 3, \
     for [j=1:nulls] $legend index 3 with lines linestyle 4, \
     for [j=1:edges] $legend index 3+nulls with lines linestyle 5
eval panels_begin

set xrange [x_min:x_max]
set xtics x_step
set yrange [y_min:y_max]
if (logarithmic) {
    set logscale y
    few = few_decades(y_min, y_max)
    power = few ? "%g" : "10^{%T}"
} else {
    set ytics 0.25
    few = 0
    power = "%g"
}
every = x_max > 8 ? int(x_max / 8) : 1
do for [i=1:panels] {
    eval place(i)
    set title "".panel_title(i) noenhanced offset 0,-0.7
    set format x (last_in_col(i) ? "%g" : "")
    y_format = first_in_row(i) ? power : ""
    set format y y_format
    if (few) { eval numbers_at_2_and_5 }
    if (own_axis && i == panels) {
        set yrange [own_min:own_max]
        set logscale y2
        set y2range [own_min:own_max]
        set format y2 "10^{%T}"
        set y2tics scale 0.5 offset -0.8,0 textcolor rgb 'black'
        unset ytics
        set border 9
        set grid y2tics
    }
    plot for [j=1:bands] $table index i-1 using "rank":"null_low":"null_high" \
             with filledcurves fillcolor rgb '#BEBEBE' fillstyle solid noborder, \
         for [j=1:nulls] $table index i-1 using "rank":"null" with lines linestyle 4, \
         for [j=1:edges] $table index i-1 using "rank":"mp_edge" with lines linestyle 5, \
         $table index i-1 using "rank":"W" with lines linestyle 1, \
         for [j=1:quantized] $table index i-1 using "rank":"R" \
             with linespoints linestyle 3 pointinterval every, \
         for [j=1:quantized] $table index i-1 using "rank":"Wq" with lines linestyle 2
}
unset multiplot
