#!/usr/bin/env bash
# Make the topics of a dataset group with Kafka's own tools, for clusters where eddy may not
# (otherwise `eddy check -c FILE --create-topics` does the same).
#
#   bash deploy/topics.sh BROKERS [GROUP [PARTITIONS [REPLICATION [COMMAND_CONFIG]]]]
#
# Needs kafka-topics.sh of a Kafka distribution on the PATH. The partition count of
# GROUP.events is part of the state and cannot be changed later: 64 is right for most, 256
# for deployments that will ever need more than six Redis masters.
set -euo pipefail

brokers=${1:?usage: bash deploy/topics.sh BROKERS [GROUP [PARTITIONS [REPLICATION [COMMAND_CONFIG]]]]}
group=${2:-eddy}
partitions=${3:-64}
replication=${4:-3}
config=${5:-}

tool=$(command -v kafka-topics.sh || command -v kafka-topics) || {
    echo "topics: kafka-topics.sh of a Kafka distribution is not on the PATH" >&2
    exit 69
}

make() {
    local topic=$1 count=$2
    shift 2
    local settings=() setting
    for setting in "$@"; do settings+=(--config "$setting"); done
    "$tool" --bootstrap-server "$brokers" ${config:+--command-config "$config"} \
        --create --if-not-exists --topic "$topic" --partitions "$count" \
        --replication-factor "$replication" "${settings[@]}"
}

# What is kept of the log bounds how far back a replay can begin: as long as the age of the
# oldest Redis backup that you would restore, at least.
make "$group.events" "$partitions" cleanup.policy=delete retention.ms=1209600000
make "$group.lists" "$partitions" cleanup.policy=compact
# Dead letters keep their original timestamps, so a bound by time would delete old events on
# arrival; and they are as large as what came in, plus headers.
make "$group.dlq" 1 cleanup.policy=delete retention.ms=-1 retention.bytes=1073741824 \
    max.message.bytes=104857600
