#!/bin/sh
# Make data/demo again: stories, tokenizer, tokens, model.
#
#   make data/stories data/prepare residuum && sh data/make.sh BUILD_FOLDER WORK_FOLDER
#
# Six to ten minutes on two cores.  Stories, tokenizer and tokens come out byte for byte everywhere;
# the weights do so on one kind of processor, and elsewhere as well as these.  Interrupted, it goes
# on where the training was.
set -eu
build=$1 work=$2
demo=$(cd "$(dirname "$0")/demo" && pwd)
mkdir -p "$work/model"
cp "$demo/config.json" "$work/model"

"$build/data/stories" 1 6000000 >"$work/train.txt"
"$build/data/stories" 2 60000 >"$work/eval.txt"
head -c 4000000 "$work/train.txt" >"$work/learn.txt"
"$build/data/prepare" learn "$work/learn.txt" 1024 "$work/model/tokenizer.json"
"$build/data/prepare" encode "$work/train.txt" "$work/model/tokenizer.json" "$work/train.u16" 0
"$build/data/prepare" encode "$work/eval.txt" "$work/model/tokenizer.json" "$work/eval.u16" 65537

"$build/residuum" pretrain "$work/model" --tokens "$work/train.u16" --eval-tokens "$work/eval.u16" \
    -o "$work/run" --steps 2000 --batch 8 --lr 2e-3 --min-lr 1e-4 --warmup 100 --beta2 0.99 \
    --eval-every 500 --checkpoint-every 100 --store f16 --precision f32 --threads 2

cp "$work/model/tokenizer.json" "$work/run/best/model.safetensors" "$demo"
head -c 1200002 "$work/train.u16" >"$demo/train.tokens.u16"
cp "$work/eval.u16" "$demo/eval.tokens.u16"
