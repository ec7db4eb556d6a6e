#!/bin/sh
# The real checkpoints, where they are: every matrix is done, and singular values are LAPACK's.
. "$srcdir/tests/cli/lib.sh"

matrices() { # MODEL COUNT
    if [ ! -d "$shared/models/$1" ]; then
        skip "$1" 'the real checkpoints are not here'
        return
    fi
    ok "$1: analyzed" $RESIDUUM analyze "$shared/models/$1" -q nf4 -q int3 --nulls none \
        --control 0 --quiet -o $1.h5
    $RESIDUUM export $1.h5 matrices >out
    [ "$(grep -c ',ok,' out)" -eq "$2" ]; result $? "$1: all $2 matrices"
}
matrices gpt2-attention-2 4
matrices stories260k 35
matrices babyllama-105 35

reference=$shared/models/gpt2-attention-2/reference.json
if [ -f "$reference" ]; then
    # first eight and smallest singular value of four matrices, to 1e-6 of the largest
    $RESIDUUM export gpt2-attention-2.h5 curves | awk -F, '$6 == "W" { print $2, $7, $8 }' >got
    awk -v RS='"h[.]' 'NR > 1 {
        name = "h." $0; sub(/".*/, "", name)
        list = $0; sub(/.*first_8": \[/, "", list); sub(/\].*/, "", list)
        small = $0; sub(/.*"smallest": /, "", small); sub(/,.*/, "", small)
        n = split(list, v, ",")
        for (i = 1; i <= n; i++) { gsub(/[^0-9.e-]/, "", v[i]); print name, i, v[i] }
        gsub(/[^0-9.e-]/, "", small)
        print name, 768, small }' "$reference" >want
    awk 'NR == FNR { got[$1, $2] = $3; next }
        { s1 = got[$1, 1]; d = got[$1, $2] - $3; if (d < 0) d = -d
          n++; if (!(($1, $2) in got) || d > 1e-6 * s1) bad++ }
        END { exit bad || n != 36 }' got want
    result $? 'gpt2-attention-2: 36 singular values of reference.json to 1e-6 of the largest'
    $RESIDUUM export gpt2-attention-2.h5 matrices >out
    says 'h.0.attn.c_attn.weight,qkv,0,2304,768,F16,ok' 'Conv1D is seen as outputs x inputs'
fi
finish
