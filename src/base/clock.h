/* Layer: base.  Clocks. core never asks for the time: time there is event time. */
#ifndef EDDY_BASE_CLOCK_H
#define EDDY_BASE_CLOCK_H

#include <stdint.h>

int64_t eddy_now_ms(void);        /* wall clock, Unix milliseconds */
uint64_t eddy_monotonic_ns(void); /* CLOCK_MONOTONIC */
uint64_t eddy_thread_cpu_ns(void);
uint64_t eddy_process_cpu_ns(void);
/* Resident set of this process in bytes (from /proc/self/statm), 0 if unknown. */
uint64_t eddy_resident_bytes(void);

#endif
