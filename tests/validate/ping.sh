#!/usr/bin/env bash
# Round-trip times of every linked pair of a running lab, configured against measured.
#
#   tests/validate/ping.sh [LAB]
#
# COUNT         echoes per pair (default 50)
# TOLERANCE_MS  how far the median may lie above the configured time (default 5); it covers the
#               guests' own time to answer, which is milliseconds where QEMU emulates their processor
#
# Fails when an echo is faster than the configuration allows, when a median is outside the
# tolerance, or when echoes are lost on a pair whose links lose nothing.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

count=${COUNT:-50}
tolerance=${TOLERANCE_MS:-5}
failures=0
# On its own line, so that its failure is ours.
linked=$(pairs)

printf '%-10s %-10s %12s %9s %9s %9s %6s  %s\n' \
    from to configured min median max lost verdict
while read -r from to rtt_ns _ loss loss_back _; do
    # ping exits 1 when echoes are lost, which the verdict below judges.
    output=$(in_guest "$from" ping -c "$count" -i 0.05 "$to" </dev/null) || [ $? = 1 ]
    times=$(sed -n 's/.*time=\([0-9.]*\) ms.*/\1/p' <<<"$output" | sort -n)
    awk -v from="$from" -v to="$to" -v rtt="$rtt_ns" -v loss="$loss" -v loss_back="$loss_back" -v count="$count" \
        -v tolerance="$tolerance" '
        NF { time[++n] = $1 }
        END {
            configured = rtt / 1e6
            lost = count - n
            verdict = "ok"
            if (n == 0) verdict = "no echo came back"
            # ping prints three digits: allow for the rounding of the last one.
            else if (time[1] < configured - 0.0005) verdict = "faster than configured"
            else if (time[int((n + 1) / 2)] > configured + tolerance)
                verdict = "median is more than " tolerance " ms above"
            else if (loss + loss_back == 0 && lost > 0) verdict = "lost echoes on a pair without loss"
            printf "%-10s %-10s %9.3f ms %9.3f %9.3f %9.3f %6d  %s\n", from, to, configured,
                time[1], time[int((n + 1) / 2)], time[n], lost, verdict
            exit verdict != "ok"
        }' <<<"$times" || failures=$((failures + 1))
done <<<"$linked"

[ "$failures" = 0 ] || { echo "$failures pair(s) outside the tolerance" >&2; exit 1; }
