#!/bin/sh
# residuum analyze and export, on matrices whose answer is known.
. "$srcdir/tests/cli/lib.sh"

# A column of /spectra for one row: field NAME WHAT SPEC-SUBSTRING [MODEL]
field() {
    awk -F, -v name="$1" -v what="$2" -v spec="$3" -v model="${4-}" '
        function split_csv(line, f,   k, quoted, c, i, text) {
            k = 1; quoted = 0; text = ""
            for (i = 1; i <= length(line); i++) {
                c = substr(line, i, 1)
                if (c == "\"") quoted = !quoted
                else if (c == "," && !quoted) { f[k++] = text; text = "" }
                else text = text c
            }
            f[k] = text
        }
        { split_csv($0, f) }
        NR == 1 { for (k in f) at[f[k]] = k; next }
        f[at["what"]] == what && index(f[at["spec"]], spec) && (model == "" || f[at["model"]] == model) {
            print f[at[name]]; exit
        }' table.csv
}

mask=$machine

low=synthetic:rows=96,cols=160,rank=4
ok 'a rank-4 control' $RESIDUUM analyze low=$low -q nf4 -o low.h5 --control 0
ok 'exported' $RESIDUUM export low.h5 spectra
cp out table.csv
[ "$(field numerical_rank W '')" = 4 ]; result $? 'its numerical rank is 4'
$RESIDUUM export low.h5 curves >curves.csv
awk -F, '$6 == "W" && $8 > m { m = $8 } $6 == "W" { s[NR] = $8 }
         END { for (i in s) k += s[i] > 1e-12 * m; exit k != 4 }' curves.csv
result $? 'exactly four singular values above 1e-12 of the largest'
[ "$(field method W '')" = gesdd ]; result $? 'the Gram matrix was not trusted with it'

noise=synthetic:rows=128,cols=256,noise=1
shows 'noise, four quantizers and all nulls' $RESIDUUM analyze noise=$noise -q nf4 -q nf2 \
    -q int4:group=64 -q int3 --nulls variance_profile,sign_flip,permuted,marchenko_pastur -o noise.h5
$RESIDUUM export noise.h5 spectra >table.csv
awk -F, 'NR > 1' table.csv | wc -l >count
[ "$(cat count)" -eq 18 ]; result $? 'W, and W_q and R of four quantizers, of the matrix and the control'
awk -v x="$(field excess_sign_flip R nf:bits=4 noise)" 'BEGIN { exit !(x < 0.01 && x > -0.01) }'
result $? 'the residual of nf4 on noise has no excess over its sign-flip null'
awk -v x="$(field stable_rank W '' noise)" 'BEGIN { exit !(x > 30 && x < 80) }'
result $? 'noise has a high stable rank'
$RESIDUUM export noise.h5 nulls >nulls.csv
for null in variance_profile sign_flip permuted marchenko_pastur; do
    grep -q ",$null," nulls.csv; result $? "null $null is exported"
done
ok 'JSON' $RESIDUUM export noise.h5 matrices --format json
says '"status":"ok"' 'status of each matrix'
shows 'inspect the result' $RESIDUUM inspect noise.h5
ok 'inspect the result as JSON' $RESIDUUM inspect noise.h5 --json
says '"complete": true' 'complete'
shows 'inspect a model' $RESIDUUM inspect $noise

# the same numbers whatever the number of threads
two=synthetic:rows=96,cols=64,noise=1,count=6
ok 'one thread' $RESIDUUM analyze m=$two -q int4 -o one.h5 --threads 1
ok 'two threads' $RESIDUUM analyze m=$two -q int4 -o two.h5 --threads 2
for f in one two; do $RESIDUUM export $f.h5 curves >$f.csv; done
ok 'threads change nothing' cmp one.csv two.csv

# truncated spectra
ok 'krylov' $RESIDUUM analyze p=synthetic:rows=300,cols=400,rank=300,power=1 --top 20 \
    --method krylov -o top.h5 --vectors 3 --control 0
ok 'the same in full' $RESIDUUM analyze p=synthetic:rows=300,cols=400,rank=300,power=1 -o full.h5 --control 0
$RESIDUUM export top.h5 curves | head -n 21 | cut -d, -f8 | tail -n +2 >top.csv
$RESIDUUM export full.h5 curves | head -n 21 | cut -d, -f8 | tail -n +2 >full.csv
paste top.csv full.csv | awk 'NR == 1 { s = $2 } { d = $1 - $2; if (d < 0) d = -d; if (d > 2e-6 * s) bad = 1 } END { exit bad || NR != 20 }'
result $? 'krylov agrees with the full spectrum'

# selection
ok 'globs select' $RESIDUUM analyze m=$two --include 'layers.[12].*' --exclude '*.2.*' -o sel.h5 --control 0
$RESIDUUM export sel.h5 matrices >out; [ "$(wc -l <out)" -eq 2 ]; result $? 'one matrix is left'
ok 'map gives a layer its own quantizer' $RESIDUUM analyze m=$two -q int4 --map '*.0.*=int8' -o map.h5 --control 0
$RESIDUUM export map.h5 spectra >table.csv
grep 'layers.0' table.csv | grep -q bits=8; result $? 'int8 where the rule says so'
grep 'layers.1' table.csv | grep -q bits=8; [ $? -eq 1 ]; result $? 'and nowhere else'
finish
