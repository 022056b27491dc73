#!/usr/bin/env bash
# Fetch the jars of the test broker from Maven Central, once.
#
#   bash tests/e2e/kafka/fetch.sh        prints the folder that holds them
#
# They are kept in ${EDDY_CACHE:-~/.cache/eddy}; the folder is moved into place only when it
# is complete, so an interrupted fetch is begun again.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$here/pom.xml")
cache=${EDDY_CACHE:-${HOME:-/tmp}/.cache/eddy}
jars=$cache/kafka-$version

if [ ! -d "$jars" ]; then
    command -v mvn >/dev/null || {
        echo "fetch: no mvn here; apt-get install maven" >&2
        exit 69
    }
    mkdir -p "$cache"
    new=$(mktemp -d "$cache/fetching.XXXXXX")
    trap 'rm -rf "$new"' EXIT
    echo "fetch: Kafka $version from Maven Central into $jars" >&2
    tries=3
    until mvn -B -U -ntp -f "$here/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime "-DoutputDirectory=$new" >"$new/mvn.log" 2>&1 </dev/null; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then
            grep -aoE '(Could not|Failed to|transfer failed|Unable to|No space).*' \
                "$new/mvn.log" | tail -n 3 >&2 || tail -n 15 "$new/mvn.log" >&2
            echo "fetch: Maven could not fetch Kafka $version, see above" \
                "(a proxy or mirror is set in ~/.m2/settings.xml)" >&2
            exit 69
        fi
        sleep 5
    done
    rm -f "$new/mvn.log"
    chmod 755 "$new"
    # Another run may have been quicker: its folder is as good.
    mv -T "$new" "$jars" 2>/dev/null || [ -d "$jars" ]
fi
echo "$jars"
