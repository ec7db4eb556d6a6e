#!/bin/sh
# Peak memory of analyze is bounded by the largest matrix, not by the model.
. "$srcdir/tests/cli/lib.sh"

# 4 shards of 20 matrices of 2 MB: 168 MB; the bound is 8 x 2.1 + 100 = 117 MB
ok 'a sharded model is made' "$RSD_BUILD/tests/bench/make_shards" big 4 20 512 1024
ok 'and analyzed' $RESIDUUM analyze big -q nf4 --nulls none --overlap 0 --top 16 \
    --method krylov --tolerance 0.3 -o big.h5 --control 0 --threads 2 -v
peak >megabytes
echo "# peak memory $(cat megabytes) MB, bound 116 MB, model 168 MB"
[ "$(cat megabytes)" -le 116 ]; result $? 'in at most 8 times the largest matrix and 100 MB'
finish
