#!/bin/sh
# Names of tensors that hold anything: escape sequences, bytes that are no UTF-8, slashes and what
# looks like one.  Terminals do not obey them, JSON holds them, no two become one.
. "$srcdir/tests/cli/lib.sh"

text() { le64 "$(printf %b "$1" | wc -c)"; printf %b "$1"; }

# gguf NAME...: a file with 4 x 8 matrices of these names, all of the same numbers but the first.
gguf() {
    printf GGUF; le32 3; le64 $#; le64 1
    text general.architecture; le32 8; text llama
    offset=0
    for name; do
        text "$name"; le32 2; le64 8; le64 4; le32 0; le64 $offset
        offset=$((offset + 128))
    done
}
pad() { size=$(wc -c <"$1"); head -c $(((32 - size % 32) % 32)) /dev/zero >>"$1"; }
escape='\033[31mred' latin='caf\351' slash='a/b' stroke='a\342\210\225b'
# model FILE NAME...
model() {
    file=$1
    shift
    gguf "$@" >"$file"
    size=$(wc -c <"$file")
    head -c $(((32 - size % 32) % 32)) /dev/zero >>"$file"
    for k in $(seq $#); do
        i=0
        while [ $i -lt 32 ]; do # float32 whose high bytes differ
            printf '\0\0'; byte $((i * 7 % 256)); byte $((60 + k))
            i=$((i + 1))
        done
    done >>"$file"
}
model n.gguf "$escape" "$slash" "$stroke"
model bad.gguf "$escape" "$latin"

clean() { ! LC_ALL=C grep -q "$(printf '\033')" "$@" && [ -s "$1" ]; }
utf8() { iconv -f UTF-8 -t UTF-16 "$@" >/dev/null; }

ok 'inspect' $RESIDUUM inspect n.gguf
clean out && grep -qF '\x1b[31mred ' out; result $? 'shows no escape, but what it is'
ok 'inspect --json' $RESIDUUM inspect n.gguf --json
[ "$(grep -c '"name"' out)" -eq 3 ] && utf8 out; result $? 'lists all three'
says '"name": "\u001B[31mred"' 'the escape as JSON has it'
ok 'a name that is no UTF-8' $RESIDUUM inspect bad.gguf --json
[ "$(grep -c '"name"' out)" -eq 2 ] && grep -qF '"name": "caf\\xe9"' out && utf8 out
result $? 'is listed too'
fails 1 "'caf\\xe9' is not UTF-8" 'safetensors cannot hold it, which is said' \
    $RESIDUUM quantize bad.gguf -q int4:group=8 -o q
ok 'a result file can' $RESIDUUM analyze bad.gguf -q int4:group=8 -o bad.h5 --control 0
ok 'and its table' $RESIDUUM export bad.h5 matrices --format json
[ "$(grep -c '"status":"ok"' out)" -eq 2 ] && grep -qF 'caf\\xe9' out; result $? 'lists it'

ok 'quantize' $RESIDUUM quantize n.gguf -q int4:group=8 -o q
clean out && clean err && grep -qF '\x1b[31mred ' out; result $? 'shows no escape'
ok 'quantize --json' $RESIDUUM quantize n.gguf -q int4:group=8 -o q --force --json
[ "$(grep -c '"tensor"' out)" -eq 3 ] && utf8 out; result $? 'lists all three'

ok 'analyze' $RESIDUUM analyze n.gguf -q int4:group=8 --control 0 -o n.h5 -v
clean err; result $? 'says no escape'
ok 'its matrices' $RESIDUUM export n.h5 matrices --format json
[ "$(grep -c '"status":"ok"' out)" -eq 3 ] && utf8 out; result $? 'are three'
grep -qF '"tensor":"a/b"' out && grep -qF "\"tensor\":\"$(printf %b "$stroke")\"" out
result $? 'under their own names'
ok 'their curves' $RESIDUUM export n.h5 curves
[ "$(grep -cF 'n,a/b,' out)" -eq 12 ] &&
    [ "$(grep -cF "n,$(printf %b "$stroke"),"  out)" -eq 12 ]
result $? 'W, Wq and R of each, four ranks'
[ "$(grep -F 'n,a/b,' out | cut -d, -f 8)" != "$(grep -F "n,$(printf %b "$stroke")," out | cut -d, -f 8)" ]
result $? 'which differ'
LC_ALL=C grep -q "^n,$(printf '\033')\\[31mred," out; result $? 'a pipe gets the bytes as they are'
if script -qec true /dev/null </dev/null >/dev/null 2>&1; then
    script -qec "$RESIDUUM export n.h5 curves" /dev/null </dev/null >out 2>err
    clean out && grep -qF 'n,\x1b[31mred,' out; result $? 'a terminal does not'
else
    skip 'a terminal does not' 'no script(1)'
fi
ok 'inspect of the result' $RESIDUUM inspect n.h5
clean out; result $? 'shows no escape'
ok 'once more, resumed' $RESIDUUM analyze n.gguf -q int4:group=8 -q nf4 --control 0 -o n.h5
ok 'its matrices' $RESIDUUM export n.h5 spectra --format json
[ "$(grep -c '"what":"R"' out)" -eq 6 ]; result $? 'are three still, with both quantizers'

# --- a model's name goes into paths too: it is its file's ---
for name in "a$(printf '\342\210\225')b" _ ._ "$(printf '\342\220\233')"; do
    cp n.gguf "$name.gguf"
    ok "a model called $name" $RESIDUUM analyze "$name.gguf" -q nf4 -o m.h5 --control 0 --force
    ok '... resumed' $RESIDUUM analyze "$name.gguf" -q nf4 -q int8 -o m.h5 --control 0
    $RESIDUUM export m.h5 spectra >out 2>err
    [ "$(grep -c "^$name," out)" -eq 15 ]; result $? '... and every spectrum is there once'
done

# --- and a file's name need not be UTF-8 ---
name=$(printf 'caf\351\033')
cp n.gguf "$name.gguf"
ok 'a file called so' $RESIDUUM inspect "$name.gguf"
clean out && grep -qF 'caf\xe9\x1b.gguf: ' out; result $? '... shown'
ok '... as JSON' $RESIDUUM inspect "$name.gguf" --json
utf8 out && grep -qF '"source": "caf\\xe9\u001B.gguf"' out; result $? '... listed'
ok '... analyzed' $RESIDUUM analyze "$name.gguf" -q nf4 -o l.h5 --control 0 -v
clean err; result $? '... without an escape'
ok '... its result' $RESIDUUM inspect l.h5 --json
utf8 out && grep -qF '"caf\\xe9\u001B": {' out; result $? '... as JSON'
ok '... its table' $RESIDUUM export l.h5 spectra --format json
utf8 out && [ "$(grep -cF '"model":"caf\\xe9\u001B"' out)" -eq 9 ]; result $? '... as JSON'
if command -v gnuplot >/dev/null; then
    ok '... its picture' env RESIDUUM_PLOTS="$srcdir/plots" $RESIDUUM plot l.h5 layers -o l --format svg
    cat l/*.svg >out
    utf8 out && clean out && sed 's/<[^>]*>//g' out | grep -qF 'caf\xe9\x1b'; result $? '... is XML'
else
    skip '... its picture' 'no gnuplot'
fi
fails 1 'caf\xe9\x1b' '... and in a message' $RESIDUUM inspect "$name.h5"
clean err; result $? '... without an escape'
finish
