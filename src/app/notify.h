/* Layer: app.  Service manager notifications (sd_notify protocol: one datagram of
 * NAME=VALUE lines to $NOTIFY_SOCKET), without libsystemd. */
#ifndef EDDY_APP_NOTIFY_H
#define EDDY_APP_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* Send lines such as "READY=1\nSTATUS=16 partitions". True when sent; false when there is
 * no service manager or it does not listen: neither is an error to the daemon. Thread:
 * any. Never blocks. */
__attribute__((format(printf, 1, 2))) bool eddy_notify(const char *fmt, ...);

/* Half of the watchdog period that the service manager expects of this process, in ms; 0:
 * it expects none. */
uint64_t eddy_notify_watchdog_ms(void);

#endif
