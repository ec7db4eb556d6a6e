# Sourced by the shell tests: each check prints one line of TAP.
# Environment: RESIDUUM (the program), srcdir (absolute), RSD_BUILD (build folder).
set -u
: "${srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${RESIDUUM:=$srcdir/build/residuum}"
shared=${RSD_SHARED:-$srcdir/../shared}
work=$(cd "$(mktemp -d)" && pwd -P) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
n=0

result() { # result STATUS DESCRIPTION [FILE...]: what a failure shows, by default out and err
    status=$1 what=$2
    shift 2
    n=$((n + 1))
    if [ "$status" -eq 0 ]; then
        echo "ok $n - $what"
    else
        [ $# -gt 0 ] || set -- out err
        echo "not ok $n - $what"
        sed 's/^/# /' "$@" 2>/dev/null | head -n 40
    fi
}

# ok DESCRIPTION COMMAND...: it succeeds.  Output is left in the files out and err.
ok() {
    what=$1
    shift
    "$@" >out 2>err
    result $? "$what"
}

# fails STATUS TEXT DESCRIPTION COMMAND...: that exit status, and the text on standard error, which
# holds one line (two for a batch: the matrix' and the sum).
fails() {
    want=$1 text=$2 what=$3
    shift 3
    "$@" >out 2>err
    got=$?
    grep -qF -- "$text" err && [ "$got" -eq "$want" ] && [ "$(wc -l <err)" -le 2 ]
    result $? "$what"
    [ "$got" -eq "$want" ] || echo "# exit $got, want $want"
}

# says TEXT DESCRIPTION: the last command printed it.
says() {
    grep -qF -- "$1" out
    result $? "$2"
}

err_says() { # the same of standard error
    grep -qF -- "$1" err
    result $? "$2"
}

# value KEY [FILE]: what the JSON in FILE, by default out, has under it, the last of several.
value() { sed -n "s/.*\"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},*$/\1/p" "${2:-out}" | tail -n 1; }

# near A B TOLERANCE: both are numbers, and no further apart.
near() {
    awk -v a="$1" -v b="$2" -v t="$3" \
        'BEGIN { d = a - b; exit !(a != "" && b != "" && d <= t && -d <= t) }'
}

# calc CONDITION DESCRIPTION: of numbers, as awk understands it.
calc() {
    awk "BEGIN { exit !($1) }"
    result $? "$2"
}

# field FILE RUN KEY: a number or text of the run in recovery/runs of FILE whose line holds RUN.
field() {
    $RESIDUUM export "$1" recovery/runs --format json | grep -F -- "$2" | head -n 1 |
        sed -n "s/.*\"$3\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

# sanitized: is the program?  Numbers that take long are then left to the plain build.
sanitized() { [ -n "${RSD_SANITIZED-}" ]; }

# await COMMAND...: until it succeeds, or the process $pid has ended, or five minutes have passed.
# What a test waits for is an event, never a time: a busy machine is only slower.
await() {
    tries=0
    while ! "$@" >/dev/null 2>&1 && kill -0 $pid 2>/dev/null && [ $tries -lt 15000 ]; do
        sleep 0.02
        tries=$((tries + 1))
    done
}

# newer FILE-PATTERN FOLDER: a file of that name in the folder is newer than the file mark.
newer() { [ -n "$(find "$2" -name "$1" -newer mark 2>/dev/null)" ]; }

# begin FILE-PATTERN FOLDER COMMAND...: $pid, in the background, until it has written such a file or
# ended.
begin() {
    pattern=$1 folder=$2
    shift 2
    touch mark
    "$@" >out 2>err &
    pid=$!
    await newer "$pattern" "$folder"
}

# ---- files ----

# repeat N TEXT: the text, as printf reads it, N times.
repeat() { yes "$2" | head -n "$1" | tr -d '\n' >.repeat && printf "$(cat .repeat)"; }

# Numbers of one, four and eight bytes, the last two below 65536; float32 that are 0 and 1.
byte() { printf "\\$(printf %03o "$1")"; }
le32() { byte $(($1 % 256)) && byte $(($1 / 256)) && printf '\0\0'; }
le64() { le32 "$1" && printf '\0\0\0\0'; }
f32_0='\0\0\0\0' f32_1='\0\0\200\077'

# tokens N FILE [FACTOR]: ids below 19 of 16 bits, in steps of 7 or of FACTOR.
tokens() {
    awk -v n="$1" -v k="${3-7}" \
        'BEGIN { for (i = 0; i < n; i++) printf "\\%03o\\000", i * k % 19 }' >.octal
    printf "$(cat .octal)" >"$2"
}

# learnable N FILE: ids below 19 in steps of 7, and now and then in another one.
learnable() {
    awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) { y = (y * 37 + 11) % 10007; x += y % 6 ? 7 : y % 19
                                                     printf "\\%03o\\000", x % 19 } }' >.octal
    printf "$(cat .octal)" >"$2"
}

# npy ROWS COLUMNS: what a .npy file of float32 has before its numbers.
npy() {
    printf '\223NUMPY\001\000\166\000%-117s\n' \
        "{'descr': '<f4', 'fortran_order': False, 'shape': ($1, $2), }"
}

# safetensors HEADER BYTES: a file of that header and so many bytes of zeros.
safetensors() {
    le64 "$(printf %s "$1" | wc -c)"
    printf %s "$1"
    head -c "$2" /dev/zero
}

# importance NAME INPUTS: what an entry of an importance matrix has before its float32.
importance() { le32 ${#1} && printf %s "$1" && le32 1 && le32 "$2"; }

# ---- what commands say ----

# peak: megabytes that the last command said with -v.
peak() { sed -n 's/^peak memory \([0-9]*\) MB.*/\1/p' err; }

# shows DESCRIPTION COMMAND...: what it prints, its messages (with ! before them) and its exit status
# are those of the section DESCRIPTION in SCRIPT.exact beside the script.  Folders of this machine are
# written as SRCDIR and WORK, the program as residuum; $mask, a sed script, hides what differs from
# machine to machine.  Output is left in the files out and err.
#     make check TESTS=tests/cli/SCRIPT.sh RSD_BLESS=1
# writes the sections anew, and fails where they were others: read the difference.
#
# What a script hides by $mask: numbers whose last digits are the BLAS's, with their signs and columns;
# of numbers with four digits or more all behind the second; times, memory, signs of rounding errors.
numbers='s/ *[-+]\{0,1\} *[0-9][0-9]*\.[0-9][0-9]*\(e[-+][0-9]*\)\{0,1\}/ #/g; s/ *$//'
digits='s/\(\.[0-9][0-9]\)[0-9][0-9][0-9]*/\1/g'
machine='s/\(counts\|takes\|process\) [0-9.]* MB/\1 # MB/g; s/in [0-9.]* s\>/in # s/
    s/[0-9.]* tokens\/s/# tokens\/s/; s/residuum [0-9.]*, [-0-9]*T[0-9:]*Z/residuum VERSION, DATE/
    s/sha256 [0-9a-f]*/sha256 #/; s/[0-9]* of \([0-9]* eigenvalues clamped\)/# of \1/'
exact=$srcdir/tests/cli/$(basename "$0" .sh).exact
blessed=$work/.blessed
mask=
: >"$blessed"
recorded() { awk -v title="== $1" '/^== / { on = $0 == title } on' "$exact" 2>/dev/null; }
record() {
    section=$1
    shift
    "$@" >out 2>err
    status=$?
    {
        printf '%s\n' "== $section" "\$ $*"
        cat out
        sed 's/^/! /; s/ $//' err
        echo "exit $status"
    } | sed "s|$RESIDUUM|residuum|g; s|$work|WORK|g; s|$srcdir|SRCDIR|g; $mask" >.shown
    cat .shown >>"$blessed"
    recorded "$section" >.recorded
    [ -n "${RSD_BLESS-}" ] || diff -d .recorded .shown >.difference
}
shows() {
    record "$@"
    result $? "$1" .difference
}

# lists DESCRIPTION COMMAND...: the same of a listing that may have grown: a method that is added needs
# no other file.
lists() {
    record "$@" || ! grep -q '^<' .difference
    result $? "$1" .difference
}

skip() { # skip DESCRIPTION REASON: a section of that description stays as it is
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
    recorded "$1" >>"$blessed"
}

finish() {
    if [ -n "${RSD_BLESS-}" ] && ! cmp -s "$blessed" "$exact" && [ -s "$blessed" ]; then
        cp "$blessed" "$exact"
        result 1 "$exact was another: it is written anew" /dev/null
    elif [ -e "$exact" ]; then
        grep '^== ' "$exact" >.recorded
        grep '^== ' "$blessed" | diff .recorded - >.difference
        result $? 'every section of what is recorded was shown, in its order' .difference
    fi
    echo "1..$n"
}
