#!/bin/sh
# Peak memory of analyze is bounded by the largest matrix, not by the model.
. "$srcdir/tests/cli/lib.sh"


if [ -n "${RSD_SANITIZED-}" ]; then
    skip 'peak memory' 'sanitizers keep shadow memory'
else
    # 4 shards of 40 matrices of 2 MB: 320 MB; the bound is 8 x 2.1 + 100 = 117 MB
    ok 'a sharded model is made' "$RSD_BUILD/tests/bench/make_shards" big 4 40 512 1024
    ok 'and analyzed' $RESIDUUM analyze big -q nf4 --nulls none --overlap 0 --top 16 \
        --method krylov --tolerance 0.3 -o big.h5 --control 0 -v
    peak >megabytes
    echo "# peak memory $(cat megabytes) MB, bound 116 MB, model 336 MB"
    [ "$(cat megabytes)" -le 116 ]; result $? 'in at most 8 times the largest matrix and 100 MB'
fi
finish
