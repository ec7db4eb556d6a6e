#!/bin/sh
# analyze -q all, and the figure that sets the families side by side.
. "$srcdir/tests/cli/lib.sh"
RESIDUUM_PLOTS=$srcdir/plots
export RESIDUUM_PLOTS

ok 'analyze -q all' $RESIDUUM analyze m=synthetic:rows=64,cols=256,noise=1,count=2 -q all -q nf4 \
    --nulls none --control 0 --seed 3 --quiet -o all.h5
$RESIDUUM export all.h5 spectra --format json >spectra.json
$RESIDUUM list quantizers >names
# every quantizer that needs no calibration is there; names are those of lines with two blanks
for q in $(sed -n 's/^\([a-z][a-z0-9_]*\)  .*/\1/p' names); do
    grep -A1 "^$q  " names | grep -q 'needs a calibration'
    needs=$?
    grep -q "\"spec\":\"$q[\":]" spectra.json
    [ $? -ne $needs ]
    result $? "$q is $([ $needs -eq 0 ] && echo 'not among them' || echo 'among them')"
done
count=$(grep -o '"spec":"nf:bits=4,block=64"' spectra.json | wc -l)
[ "$count" -eq $((2 * 2)) ]
result $? "two matrices have W_q and R of nf4 once, though it was asked for twice ($count)"
fails 2 'one -q' 'all is many: quantize wants one' $RESIDUUM quantize \
    synthetic:rows=64,cols=256,noise=1 -q all -o out.safetensors

ok 'the figure' $RESIDUUM plot all.h5 families --tables -o figures
[ -s figures/families-m.png ]
result $? 'is drawn'
# left panel: a row per quantizer, its bound 2^-bits, and no error below the bound of normal weights
awk -F'\t' '
    $0 == "" { exit }
    NR == 1 { next }
    { rows++; if (($2 - 2 ^ -$1) ^ 2 > 1e-12 * $2 ^ 2) bad++
      for (i = 5; i <= NF; i++) if ($i != "NaN" && $i < $2) bad++ }
    END { exit !(rows > 20 && !bad) }' figures/families-m.tsv
result $? 'its rows lie above the bound'
$RESIDUUM analyze m=synthetic:rows=64,cols=64,noise=1 --nulls none --quiet -o plain.h5
fails 1 'quantized matrices' 'nothing to compare' $RESIDUUM plot plain.h5 families -o none
finish
