/* Layer: base.  The table of all metrics (see metric.h). Names follow Prometheus' rules:
 * eddy_<name>_<base unit>[_total]. Rows of one name stand together. */
#ifndef EDDY_BASE_METRIC_TABLE_H
#define EDDY_BASE_METRIC_TABLE_H

/* clang-format off */
#define EDDY_METRIC_TABLE(XX) \
    XX(EVENTS_RECEIVED,   EDDY_COUNTER,   "eddy_events_received_total",   "", "Records taken from the log.") \
    XX(EVENTS_APPLIED,    EDDY_COUNTER,   "eddy_events_applied_total",    "", "Events that moved a state by one step.") \
    XX(DISCARD_DUPLICATE, EDDY_COUNTER,   "eddy_events_discarded_total",  "reason=\"duplicate\",intentional=\"true\"", "Events not applied, by reason.") \
    XX(DISCARD_LATE,      EDDY_COUNTER,   "eddy_events_discarded_total",  "reason=\"late\",intentional=\"true\"", "Events not applied, by reason.") \
    XX(DISCARD_REDELIVERED, EDDY_COUNTER, "eddy_events_discarded_total",  "reason=\"redelivered\",intentional=\"true\"", "Events not applied, by reason.") \
    XX(DEAD_MALFORMED,    EDDY_COUNTER,   "eddy_dead_letters_total",      "reason=\"malformed\"", "Records sent to the dead-letter topic, by reason.") \
    XX(DEAD_TOO_BIG,      EDDY_COUNTER,   "eddy_dead_letters_total",      "reason=\"too_big\"", "Records sent to the dead-letter topic, by reason.") \
    XX(DEAD_VERSION,      EDDY_COUNTER,   "eddy_dead_letters_total",      "reason=\"version\"", "Records sent to the dead-letter topic, by reason.") \
    XX(DEAD_TIMESTAMP,    EDDY_COUNTER,   "eddy_dead_letters_total",      "reason=\"timestamp\"", "Records sent to the dead-letter topic, by reason.") \
    XX(DEAD_PARTITION,    EDDY_COUNTER,   "eddy_dead_letters_total",      "reason=\"partition\"", "Records sent to the dead-letter topic, by reason.") \
    XX(UNKNOWN_ITEMS,     EDDY_COUNTER,   "eddy_unknown_items_total",     "", "Events whose item the active snapshot does not know.") \
    XX(REENCODED,         EDDY_COUNTER,   "eddy_states_reencoded_total",  "", "States re-encoded from their recent events by another snapshot.") \
    XX(TURNS,             EDDY_COUNTER,   "eddy_turns_total",             "", "Batches that went down the path.") \
    XX(COMMITS,           EDDY_COUNTER,   "eddy_commits_total",           "result=\"ok\"", "Partition commits, by result.") \
    XX(COMMITS_FENCED,    EDDY_COUNTER,   "eddy_commits_total",           "result=\"fenced\"", "Partition commits, by result.") \
    XX(ACQUIRES,          EDDY_COUNTER,   "eddy_partition_acquires_total", "", "Partitions acquired, re-acquisitions included.") \
    XX(REWINDS,           EDDY_COUNTER,   "eddy_rewinds_total",           "", "Acquisitions that found a smaller offset than this worker had committed.") \
    XX(LISTS_SCORED,      EDDY_COUNTER,   "eddy_lists_scored_total",      "", "Lists computed.") \
    XX(LISTS_PUBLISHED,   EDDY_COUNTER,   "eddy_lists_published_total",   "", "Lists confirmed by the list topic.") \
    XX(LISTS_REPRODUCED,  EDDY_COUNTER,   "eddy_lists_reproduced_total",  "", "Lists produced again after a failed delivery.") \
    XX(CACHE_HITS,        EDDY_COUNTER,   "eddy_state_cache_total",       "result=\"hit\"", "State look-ups in the worker's cache, by result.") \
    XX(CACHE_MISSES,      EDDY_COUNTER,   "eddy_state_cache_total",       "result=\"miss\"", "State look-ups in the worker's cache, by result.") \
    XX(ERRORS_STORE,      EDDY_COUNTER,   "eddy_errors_total",            "stage=\"processing\",error_type=\"store\"", "Errors survived, by kind.") \
    XX(ERRORS_KAFKA,      EDDY_COUNTER,   "eddy_errors_total",            "stage=\"receiving\",error_type=\"kafka\"", "Errors survived, by kind.") \
    XX(ERRORS_MODEL,      EDDY_COUNTER,   "eddy_errors_total",            "stage=\"processing\",error_type=\"model\"", "Errors survived, by kind.") \
    XX(PARTITIONS_OWNED,  EDDY_GAUGE,     "eddy_partitions_owned",        "", "Partitions that this process owns now.") \
    XX(OUTBOX_USERS,      EDDY_GAUGE,     "eddy_outbox_users",            "", "Users whose list is committed but not yet confirmed by the list topic.") \
    XX(RELOAD_OK,         EDDY_GAUGE,     "eddy_config_last_reload_successful", "", "1 when the configuration was read without an error the last time, else 0.") \
    XX(RELOAD_TIME,       EDDY_GAUGE,     "eddy_config_last_reload_success_timestamp_seconds", "", "When the configuration was read without an error the last time.") \
    XX(EVENT_TO_LIST,     EDDY_HISTOGRAM, "eddy_event_to_list_seconds",   "", "From the record's Kafka timestamp to its list standing in Redis.") \
    XX(STAGE_DECODE,      EDDY_HISTOGRAM, "eddy_stage_seconds",           "stage=\"decode\"", "Time of one stage for one turn.") \
    XX(STAGE_LOAD,        EDDY_HISTOGRAM, "eddy_stage_seconds",           "stage=\"load\"", "Time of one stage for one turn.") \
    XX(STAGE_APPLY,       EDDY_HISTOGRAM, "eddy_stage_seconds",           "stage=\"apply\"", "Time of one stage for one turn.") \
    XX(STAGE_SCORE,       EDDY_HISTOGRAM, "eddy_stage_seconds",           "stage=\"score\"", "Time of one stage for one turn.") \
    XX(STAGE_LIST,        EDDY_HISTOGRAM, "eddy_stage_seconds",           "stage=\"list\"", "Time of one stage for one turn.") \
    XX(STAGE_COMMIT,      EDDY_HISTOGRAM, "eddy_stage_seconds",           "stage=\"commit\"", "Time of one stage for one turn.") \
    XX(STAGE_PUBLISH,     EDDY_HISTOGRAM, "eddy_stage_seconds",           "stage=\"publish\"", "Time of one stage for one turn.") \
    XX(REDIS_COMMAND,     EDDY_HISTOGRAM, "eddy_redis_exchange_seconds",  "", "One pipelined exchange with Redis.")
/* clang-format on */

#endif
