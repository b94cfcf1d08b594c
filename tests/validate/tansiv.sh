#!/usr/bin/env bash
# Round trips between ten guests, 200 ms apart, beside those that TANSIV's authors published.
#
#   tests/validate/tansiv.sh
#
# Boots examples/tansiv-10.toml, waits until its scheduled pings have ended, takes it down, and prints
# statistics over the 90 ordered pairs (the mean of each). Theirs are computed from the matrix in their
# README of 2020-12: ten guests under `icount`, links of 4 x 100 ms there and back.
#
# Fails when a pair is missing or a round trip is shorter than the links allow.
set -- tansiv-10
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
need curl

file=$here/../../examples/tansiv-10.toml
socket=/run/chronotap/tansiv-10/control.sock
runs() { curl -sS --unix-socket "$socket" http://lab/v1/runs; }

"$vmctl" up -d --timeout 8m "$file"
trap '"$vmctl" --lab tansiv-10 down' EXIT
until [ "$(runs | jq .missing)" = 0 ]; do
    sleep 1
done
status=$("$vmctl" "${lab[@]}" -o json status)

# "rtt min/avg/max/mdev = 400.1/400.2/400.3/0.0 ms" of the runs that measure.
runs | jq -r ".runs[] | select(.index == 1) | .stdout // empty" |
    sed -n 's|^rtt [^=]*= \([0-9.]*\)/\([0-9.]*\)/\([0-9.]*\)/.*|\1 \2 \3|p' |
    sort -k 2 -n |
    awk '
        { mean[NR] = $2; sum += $2; squares += ($2 - 400) ^ 2 }
        NR == 1 || $1 < least { least = $1 }
        $3 > most { most = $3 }
        END {
            if (NR != 90) { print "only " NR " of 90 pairs answered"; exit 1 }
            average = sum / NR
            deviation = sqrt(squares / NR - (average - 400) ^ 2)
            row = "%-10s %9s %9s %9s %9s %9s\n"
            printf row, "ms", "min", "mean", "median", "max", "sd"
            printf row, "TANSIV", "400.09", "400.21", "400.19", "400.55", "0.08"
            printf "%-10s %9.3f %9.3f %9.3f %9.3f %9.3f\n", "Chronotap", mean[1], average,
                (mean[45] + mean[46]) / 2, mean[90], deviation
            printf "single round trips: %.3f to %.3f ms\n", least, most
            exit least < 400
        }'
jq -r '"virtual \(.time.virtual_seconds | floor) s in \(.time.wall_seconds | floor) s; " +
    "not exact: \(.exact.doubt // "no"), perturbed: \(.exact.perturbed // "no")"' <<<"$status"
