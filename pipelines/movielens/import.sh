#!/usr/bin/env bash
# MovieLens-1M (ratings.dat, movies.dat) to the columns that eddy reads.
#
#   bash pipelines/movielens/import.sh FOLDER_OF_ML_1M OUT_FOLDER
#
# The data set is not part of eddy; its terms are in its own README.
set -euo pipefail
from=${1:?usage: bash pipelines/movielens/import.sh FOLDER_OF_ML_1M OUT_FOLDER}
to=${2:?usage: bash pipelines/movielens/import.sh FOLDER_OF_ML_1M OUT_FOLDER}
mkdir -p "$to"
# In the order of time, as a topic would have them; ties stay in the order of the file.
sort -s -t: -k7,7n "$from/ratings.dat" | awk -F:: '
    BEGIN { print "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE" }
    { print $1 "," $2 "," $4 ",rating," $3 }' >"$to/interactions.csv"
# movies.dat is Latin-1; titles hold commas and quotes.
iconv -f latin1 -t utf-8 "$from/movies.dat" | awk -F:: '
    BEGIN { print "ITEM_ID,NAME,GENRES" }
    { gsub(/"/, "\"\"", $2); print $1 ",\"" $2 "\"," $3 }' >"$to/items.csv"
wc -l "$to/interactions.csv" "$to/items.csv"
