#!/bin/sh
# The layer rule: err mat rng par opt fp <- linalg <- spectra, quantizers; io beside the first
# group; src never sees analysis; src neither prints nor exits; each library is seen where it belongs.
set -u
cd "$srcdir" || exit 99
n=0
deny() { # deny WHERE PATTERN WHAT
    n=$((n + 1))
    if grep -nE "$2" -r $1 --include='*.[ch]'; then
        echo "not ok $n - $3"
    else
        echo "ok $n - $3"
    fi
}
deny "$(ls src/*.[ch] | grep -v rsd.h)" '#include "(io|ggml|linalg|spectra|quantizers|transformer|adapters|train)/' \
    'the base group includes no folder'
deny src/ggml '#include "(io|linalg|spectra|quantizers|transformer|adapters|train)/' 'ggml sees the base group only'
deny src/linalg '#include "(io|spectra|quantizers|transformer|adapters|train)/' 'linalg sees the base group only'
deny src/spectra '#include "(io|quantizers|transformer|adapters|train)/' 'spectra sees linalg and the base group'
deny src/quantizers '#include "(io|spectra|transformer|adapters|train)/' 'quantizers see linalg and the base group'
deny src/io '#include "(linalg|spectra|quantizers|transformer|adapters|train)/' 'io sees the base group only'
deny src '#include "(analysis/|(cli|result|analyze|recover|compare|quantize|eval|calibrate|pretrain|show|figures)/)' 'src never includes analysis'
deny src '\<(printf|puts|putchar|perror|exit|_exit|abort)[[:space:]]*\(' 'src neither prints nor exits'
deny 'analysis' '#include <hdf5' 'HDF5 is seen by the store alone'
deny "$(ls -d src/*/ src/*.[ch] | grep -v src/io)" '#include <(hdf5|jansson)' 'HDF5 and jansson are seen in io alone'
deny "$(ls -d src/*/ src/*.[ch] analysis | grep -v transformer)" '#include <(oneapi|dnnl)' 'oneDNN is seen in transformer alone'
deny "$(find src analysis -name '*.[ch]' | grep -v src/io/tokens/regex.c)" '#include <pcre2' 'PCRE2 is seen in regex.c alone'
deny "$(find src analysis -name '*.[ch]' | grep -v src/io/tokens/normalize.c)" '#include <utf8proc' 'utf8proc is seen in normalize.c alone'
deny 'src/transformer' '#include "(adapters|train)/' 'transformer sees neither adapters nor training'
deny 'src/adapters' '#include "train/' 'adapters do not see training'
deny 'src analysis plots tests' '(/work|/home|/root)/' 'no path of a machine'
echo "1..$n"
