#!/bin/sh
# Peak memory of `analyze` on a model of 2.1 GB: at most 8 times the largest matrix and 100 MB.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$RSD_BUILD/tests/bench/make_shards" "$folder/big" 8 32 1024 2048
du -sm "$folder/big" | sed 's/\t.*/ MB in 8 shards, 256 matrices of 8.4 MB/'
"$RESIDUUM" analyze "$folder/big" -q nf4 --nulls none -o "$folder/big.h5" --control 0 -v 2>&1 |
    grep -E 'peak memory|matrices in'
echo "bound: 8 x 8.4 + 100 = 167 MB"
