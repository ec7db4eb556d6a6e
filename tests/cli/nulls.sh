#!/bin/sh
# The nulls of R in every metric: drawn, in closed form, and what is read of them.
. "$srcdir/tests/cli/lib.sh"
set -f # patterns are the program's
d=$srcdir/data/demo
some='--control 0 --quiet --include *.layers.[01].*'
run="$RESIDUUM analyze $d --calibration c.h5 $some"
metrics='R RdH RH GR GRH'

ok 'calibrate' $RESIDUUM calibrate $d --tokens $d/train.tokens.u16 --context 64 --max-tokens 2049 -o c.h5
ok 'closed form by default' $run -q nf4 -q int3 -o closed.h5
ok 'drawn as well' $run -q nf4 -q int3 --nulls variance_profile,sign_flip --null-draws 24 -o both.h5
ok 'the nulls' $RESIDUUM export closed.h5 nulls
cp out closed.csv
for what in $metrics; do
    grep -q ",$what,variance_profile,1," closed.csv; result $? "$what has the closed form" /dev/null
done
! grep -q ',sign_flip,' closed.csv; result $? 'nothing is drawn'
grep -q ',R,marchenko_pastur,' closed.csv && ! grep -qE ',(RdH|RH|GR|GRH),marchenko_pastur,' closed.csv
result $? 'iid noise is a null of R alone' /dev/null
$RESIDUUM export both.h5 nulls >both.csv
$RESIDUUM export both.h5 spectra >spectra.csv
for what in $metrics; do
    grep -q ",$what,sign_flip,1," both.csv; result $? "$what has the draws"
done

# column NAME FILE: its number there.  A specification holds commas, and is quoted.
column() { head -n 1 "$2" | tr , '\n' | grep -nx "$1" | cut -d: -f1; }
sed 's/"[^"]*"/SPEC/g' both.csv >plain.csv
sed 's/"[^"]*"/SPEC/g' spectra.csv >rows.csv

# at rank 4: the mean over layers of what the closed form has more than the draws
awk -F, -v r="$(column r plain.csv)" -v e="$(column cumulative_energy plain.csv)" -v w="$(column what plain.csv)" '
    NR > 1 && $r == 4 { sum[$w, $(w + 1)] += $e; n[$w, $(w + 1)]++ }
    END { for (k in sum) { split(k, at, SUBSEP); if (at[2] == "sign_flip") {
              off = sum[k] / n[k] - sum[at[1], "variance_profile"] / n[k]
              print at[1], off; bad += off > .01 || off < -.01; seen++ } }
          exit bad || seen != 5 }' plain.csv >out
result $? 'the closed form has what draws have, in every metric' out

awk -F, -v z="$(column excess_z rows.csv)" -v s="$(column excess_error rows.csv)" -v w="$(column what rows.csv)" \
    -v p="$(column excess_variance_profile rows.csv)" -v e="$(column null_energy_ratio rows.csv)" '
    NR > 1 && $w ~ /R/ { n++; full += $z != "" && $s > 0 && $s < .1 && $p != "" && $e > 0 }
    NR > 1 && $w == "R" { same += $e > .999999 && $e < 1.000001; of++ }
    END { exit !(n > 0 && full == n && same == of) }' rows.csv
result $? 'rows say by how much, how sure that is, and whose energy is larger' rows.csv
$RESIDUUM export closed.h5 spectra | sed 's/"[^"]*"/SPEC/g' >rows.csv
awk -F, -v z="$(column excess_z rows.csv)" -v w="$(column what rows.csv)" -v p="$(column excess_variance_profile rows.csv)" '
    NR > 1 && $w ~ /R/ { n++; ok += $z == "" && $p != "" } END { exit !(n > 0 && ok == n) }' rows.csv
result $? 'without draws nothing is said of how sure'

# signs are drawn once, and seen through each metric: R's are those without a calibration
ok 'without a calibration' $RESIDUUM analyze $d $some -q nf4 -q int3 --nulls sign_flip --null-draws 24 -o plain.h5
$RESIDUUM export plain.h5 nulls | grep ',R,sign_flip,' >a
grep ',R,sign_flip,' both.csv >b
[ -s a ] && cmp -s a b; result $? 'R has the draws that it has without a calibration' /dev/null

ok 'one thread' $run -q nf4 --nulls variance_profile,sign_flip -o one.h5 --threads 1
ok 'two threads' $run -q nf4 --nulls variance_profile,sign_flip -o two.h5 --threads 2
for f in one two; do $RESIDUUM export $f.h5 nulls >$f.csv; done
cmp -s one.csv two.csv; result $? 'threads change nothing' /dev/null

# the same again, another quantizer, other nulls
cp closed.h5 before.h5
ok 'the same again' $run -q nf4 -q int3 -o closed.h5
cmp -s closed.h5 before.h5; result $? 'changes nothing' /dev/null
ok 'another quantizer' $run -q nf2 -o closed.h5
ok 'the nulls' $RESIDUUM export closed.h5 nulls
sort out >all; sort closed.csv | comm -23 - all >lost
[ ! -s lost ]; result $? 'leaves those that were there' lost
fails 2 'nulls=' 'other nulls are refused' $run -q nf4 --nulls sign_flip -o closed.h5

# what draws alone say can be compared and drawn, and so can the closed form
ok 'draws alone' $run -q nf4 -q nf2 --nulls sign_flip -o drawn.h5
ok 'closed form alone' $run -q nf4 -q nf2 --nulls variance_profile -o profile.h5
for f in drawn profile; do
    ok "$f: compared" $RESIDUUM compare $f.h5
    says 'nf2' "$f: with a verdict"
    grep -q 'No verdict' out; [ $? -eq 1 ]; result $? "$f: which its null allows"
done
if command -v gnuplot >err; then
    for f in drawn profile; do
        ok "$f: drawn" $RESIDUUM plot $f.h5 energy -o $f --format svg
        grep -rq 'null: R with random signs' $f; result $? "$f: with its null" /dev/null
    done
fi

finish
