#!/bin/sh
# residuum plot: every figure as a whole picture with the right numbers behind it, and clear errors.
. "$srcdir/tests/cli/lib.sh"
RESIDUUM_PLOTS=$srcdir/plots
export RESIDUUM_PLOTS
mask="s/figures are cumulative, .*/figures are .../; s/there are [a-z_]*, .*/there are .../"

analyze() { $RESIDUUM analyze "$@" --quiet || exit 99; }
analyze m=synthetic:rows=48,cols=64,noise=1,spikes=2,spike=3,count=3 -q nf4 -q int3:group=16 -o m.h5
$RESIDUUM export m.h5 curves >curves.csv
$RESIDUUM export m.h5 spectra --format json >spectra.json

# cell FILE PANEL ROW COLUMN: of a .tsv, counted from 1 (row 0 names the columns)
cell() {
    awk -F'\t' -v panel="$2" -v row="$3" -v column="$4" '
        $0 == "" { if (!gap) block++; gap = 1; row_no = -1; next }
        { if (NR == 1) { block = 1; row_no = -1 } gap = 0; row_no++ }
        block == panel && row_no == row { print $column; exit }' "$1"
}
# close A B: two numbers that agree to the 9 digits of a table
close() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; exit !(a != "" && b != "" && d * d <= 1e-16 * b * b) }'; }
# curve LAYER WHAT SPEC-TEXT RANK FIELD: from the exported curves (SPEC holds commas: counted from the end)
curve() {
    grep "^m,layers.$1.weight," curves.csv | grep -F -- "$3" | awk -F, -v what="$2" -v r="$4" -v from="$5" '
        $(NF - 4) == what && $(NF - 3) == r { print $(NF - from); exit }'
}
# number LAYER WHAT SPEC-TEXT NAME: from the exported spectra
number() {
    grep "\"tensor\":\"layers.$1.weight\"" spectra.json | grep '"model":"m"' | grep -F -- "\"what\":\"$2\"" |
        grep -F -- "$3" | sed -n "s/.*\"$4\":\([-+.0-9e]*\).*/\1/p" | head -n 1
}

# --- every figure, every format ---
figures='cumulative-m-other-nf4 cumulative-m-other-int3-group-16 energy-m-other-nf4
energy-m-other-int3-group-16 spectrum-m-other-nf4 spectrum-m-other-int3-group-16
rank_error-m-other layers-m-effective_rank quantizers-m families-m'
ok 'every figure as png' $RESIDUUM plot m.h5 -o png --tables
for f in $figures; do
    head -c 4 png/$f.png | tail -c 3 | grep -q PNG && tail -c 12 png/$f.png | grep -q IEND
    result $? "$f.png is whole"
done
# drawn FOLDER FORMAT COUNT: so many pictures, of the figures that this test knows
known='cumulative energy spectrum rank_error layers quantizers families recovery recovery_rank frontier
prediction sensitivity subspaces data_rank'
drawn() {
    for figure in $known; do ls $1 | grep "^$figure-.*\.$2\$"; done >pictures
    [ "$(wc -l <pictures)" -eq $3 ]
}
count=$(echo $figures | wc -w)
drawn png png $count; result $? 'and no other picture'
drawn png tsv $count; result $? 'each with its table'
ok 'every figure as pdf' $RESIDUUM plot m.h5 -o pdf --format pdf --quiet
for f in $figures; do
    head -c 5 pdf/$f.pdf | grep -q '%PDF-' && tail -c 16 pdf/$f.pdf | grep -q '%%EOF' || echo $f
done >bad
[ ! -s bad ]; result $? 'each is whole'
[ ! -s err ]; result $? 'and --quiet is quiet'
ok 'every figure as svg' $RESIDUUM plot m.h5 -o svg --format svg --threads 1
for f in $figures; do tail -n 2 svg/$f.svg | grep -q '</svg>' || echo $f; done >bad
[ ! -s bad ]; result $? 'each is whole'
! ls png pdf svg | grep -q tmp; result $? 'nothing unfinished is left'
mkdir one
(cd one && $RESIDUUM plot ../m.h5 layers --format svg --quiet)
cmp -s one/layers-m-effective_rank.svg svg/layers-m-effective_rank.svg
result $? 'one figure, into the current folder, the same bytes again'

# --- what a reader is told ---
text() { sed 's/<[^>]*>//g' "$1" | grep -qF -- "$2"; result $? "$1 says '$2'"; }
c=svg/cumulative-m-other-nf4.svg
text $c 'Cumulative sum of singular values'
text $c 'm · other (48×64) · nf4 (nf:bits=4,block=64)'
text $c 'layer 2'
text $c 'control: rank 4'
text $c 'null: R with random signs'
text $c 'share of the sum'
text svg/energy-m-other-nf4.svg 'share of the energy'
text svg/spectrum-m-other-nf4.svg 'Marchenko'
text svg/spectrum-m-other-nf4.svg 'weight units'
text svg/rank_error-m-other.svg 'int3:group=16'
text svg/rank_error-m-other.svg 'itself, without quantizer'
text svg/layers-m-effective_rank.svg 'effective rank (rank)'
text svg/quantizers-m.svg 'bits per weight'
for colour in '0,[ ]*114,[ ]*178' '0,[ ]*158,[ ]*115' '213,[ ]*94,[ ]*0' '190,[ ]*190,[ ]*190'; do
    grep -q "rgb([ ]*$colour)" $c; result $? "a curve of colour $colour"
done

# --- the numbers are those of the file ---
t=png/cumulative-m-other-nf4.tsv
[ "$(cell $t 1 0 2)" = W ] && [ "$(cell $t 1 0 4)" = R ]; result $? 'columns are named'
close "$(cell $t 2 10 2)" "$(curve 1 W ,W, 10 1)"; result $? 'cumulative sum of W, layer 1, rank 10'
close "$(cell $t 3 5 4)" "$(curve 2 R nf:bits=4 5 1)"; result $? 'cumulative sum of R, layer 2, rank 5'
close "$(cell $t 1 48 3)" 1; result $? 'all of W_q at full rank'
close "$(cell $t 4 4 2)" 1; result $? 'the control is in the last panel and has rank 4'
close "$(cell png/energy-m-other-nf4.tsv 1 7 3)" "$(curve 0 Wq nf:bits=4 7 0)"
result $? 'energy of W_q, layer 0, rank 7'
close "$(cell png/spectrum-m-other-int3-group-16.tsv 2 3 4)" "$(curve 1 R int:bits=3 3 2)"
result $? 'third singular value of R, layer 1'
close "$(cell png/spectrum-m-other-int3-group-16.tsv 2 3 8)" "$(number 1 R int:bits=3 mp_edge)"
result $? 'its Marchenko-Pastur edge'
t=png/rank_error-m-other.tsv
close "$(cell $t 1 1 3)" "$(number 0 R nf:bits=4 relative_error)"; result $? 'rank 0 leaves the relative error'
close "$(cell $t 1 1 2)" 1; result $? 'and of W itself everything'
awk -v got="$(cell $t 3 9 4)" -v e="$(curve 2 R int:bits=3 8 0)" -v q="$(number 2 R int:bits=3 relative_error)" \
    'BEGIN { want = q * sqrt(1 - e); d = got - want; exit !(d * d < 1e-16) }'
result $? 'rank 8 leaves the square root of the energy beyond it'
close "$(cell png/layers-m-effective_rank.tsv 1 3 2)" "$(number 2 W '"spec":""' effective_rank)"
result $? 'effective rank of W, layer 2'
t=png/quantizers-m.tsv
close "$(cell $t 1 2 3)" "$(number 1 R int:bits=3 relative_error)"; result $? 'error of int3, layer 1'
close "$(cell $t 1 2 4)" "$(number 1 R nf:bits=4 bits_per_weight)"; result $? 'bits of nf4, layer 1'

# --- options ---
ok 'the first 10 ranks' $RESIDUUM plot m.h5 cumulative --top 10 --spec nf4 -o top --tables
[ "$(ls top/*.png)" = top/cumulative-m-other-nf4.png ]; result $? 'one quantizer, by its short name'
[ -n "$(cell top/cumulative-m-other-nf4.tsv 3 10 1)" ] && [ -z "$(cell top/cumulative-m-other-nf4.tsv 3 11 1)" ]
result $? 'rank 10 is the last'
ok 'a quantizer by its canonical text' $RESIDUUM plot m.h5 energy --spec 'int:bits=3*' -o spec
[ "$(ls spec)" = energy-m-other-int3-group-16.png ]; result $? 'alone'
ok 'globs over tensors' $RESIDUUM plot m.h5 layers --include 'layers.[12].*' --exclude '*.2.*' -o glob --tables
[ "$(cell glob/layers-m-effective_rank.tsv 1 1 1)" = 1 ] && [ -z "$(cell glob/layers-m-effective_rank.tsv 1 2 1)" ]
result $? 'layer 1 alone is left'
ok 'a metric of R alone' $RESIDUUM plot m.h5 layers --metric leak -o metric --tables
close "$(cell metric/layers-m-leak.tsv 1 1 2)" "$(number 0 R nf:bits=4 leak)"; result $? 'is drawn for R'
ok 'the control by name' $RESIDUUM plot m.h5 cumulative --model control -o control
[ "$(ls control | wc -l)" -eq 2 ] && [ -s control/cumulative-control-other-nf4.png ]
result $? 'has pages of its own'
mkdir a b && cp m.h5 a/x.h5 && cp m.h5 b/x.h5 && cp m.h5 y.h5
ok 'several files' $RESIDUUM plot a/x.h5 b/x.h5 y.h5 quantizers -o several
[ "$(ls several | tr '\n' ' ')" = 'x-quantizers-m-2.png x-quantizers-m.png y-quantizers-m.png ' ]
result $? 'no picture overwrites another'

# --- unusual files ---
analyze deep=synthetic:rows=8,cols=8,noise=1,count=40 -q int4 -o deep.h5
ok 'forty layers' $RESIDUUM plot deep.h5 spectrum -o . --format svg
text spectrum-deep-other-int4.svg '35 of 40 matrices'
text spectrum-deep-other-int4.svg 'layer 0'
text spectrum-deep-other-int4.svg 'layer 39'
analyze w=synthetic:rows=16,cols=16,noise=1 --control 0 -o w.h5
ok 'without any quantizer what can be drawn is' $RESIDUUM plot w.h5 -o w
drawn w png 4; result $? 'four figures'
grep -qF 'nothing for figure rank_error' err; result $? 'and the others are named'
shows 'unless asked for by name' $RESIDUUM plot w.h5 quantizers -o w
analyze t=synthetic:rows=64,cols=64,noise=1 --top 5 --method krylov -q int4 --control 0 -o t.h5
shows 'a truncated spectrum has no cumulative sum' $RESIDUUM plot t.h5 cumulative
ok 'but its energy' $RESIDUUM plot t.h5 energy rank_error spectrum -o t
[ "$(ls t | wc -l)" -eq 3 ]; result $? 'is drawn'
analyze z=synthetic:rows=16,cols=16,noise=1 -q float:format=fp16 -q lowrank:rank=4 --nulls none -o z.h5
ok 'without nulls' $RESIDUUM plot z.h5 -o z --format svg
! grep -q 'null:' z/*.svg; result $? 'no null is announced'

# a name that means something to a shell and to gnuplot
name="it's \`touch pwned\` %s {x}"
{ npy 2 2 && printf $f32_1$f32_0$f32_0$f32_1; } >"$name.npy"
analyze "$name.npy" -q int8 --control 0 -o hostile.h5
ok 'a hostile name' $RESIDUUM plot hostile.h5 -o hostile --format svg
[ "$(ls hostile | grep -c .)" -ge 4 ] && ! ls | grep -q '^pwned' && ! ls hostile | grep -q "[\`' {]"
result $? 'is drawn, not run, and no file is called that'
sed 's/<[^>]*>//g' hostile/quantizers* | grep -qF -- "it's \`touch pwned\` %s {x}"
result $? 'the picture shows it as it is'

# --- errors ---
shows 'an unknown figure' $RESIDUUM plot m.h5 cumulativ
shows 'no file' $RESIDUUM plot cumulative
shows 'an unknown metric' $RESIDUUM plot m.h5 layers --metric depth
shows 'a missing file' $RESIDUUM plot missing.h5
echo text >text.h5
shows 'a file that is not HDF5' $RESIDUUM plot text.h5
shows 'a glob that matches nothing' $RESIDUUM plot m.h5 --include nothing
shows 'a folder that cannot be made' $RESIDUUM plot m.h5 -o text.h5
shows 'no scripts' env RESIDUUM_PLOTS=/nowhere $RESIDUUM plot m.h5
shows 'no gnuplot' env PATH=/nowhere $RESIDUUM plot m.h5 layers -o gone
cp -r "$srcdir/plots" plots && chmod -R u+w plots
echo 'plot nonsense(' >>plots/layers.gp
fails 1 'figure layers: gnuplot failed: ' 'a broken script' \
    env RESIDUUM_PLOTS="$PWD/plots" $RESIDUUM plot m.h5 layers -o gone
grep -q 'layers.gp" line' err; result $? 'with its line'
: >plots/layers.gp
shows 'a script that draws nothing' \
    env RESIDUUM_PLOTS="$PWD/plots" $RESIDUUM plot m.h5 layers -o gone
[ -z "$(ls gone)" ]; result $? 'no picture and no rest of one is left'
finish
