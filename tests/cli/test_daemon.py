#!/usr/bin/env python3
"""The daemon around its workers: probes, signals, reload, service manager, drain and exit
codes, with Kafka away the whole time; and the role api on a real Redis."""

import json
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from harness import (Redis, check, free_port, http, main, metrics, wait_until)  # noqa: E402


class Notified:
    """The service manager's side of sd_notify."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(0.2)
        self.seen = ""

    def wait(self, text):
        def found():
            try:
                self.seen += self.socket.recv(4096).decode() + "\n"
            except TimeoutError:
                pass
            return text in self.seen
        wait_until(found, f"{text} at the service manager", 30)
        check(True, f"the service manager is told {text}")


def without_kafka(scratch):
    port, level = free_port(), "info"
    options = {"kafka.brokers": "127.0.0.1:1", "redis.address": "127.0.0.1:1",
               "http.listen": f"127.0.0.1:{port}", "model.folder": scratch.path("models"),
               "redis.password": "do-not-show"}
    config = scratch.config("eddy.yaml", {**options, "log.level": level})
    manager = Notified(scratch.path("notify.sock"))
    daemon = scratch.worker("daemon", config, environment={
        "NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000000"})
    wait_until(lambda: http(port, "/livez")[0] == 200, "/livez")
    check(True, "/livez says yes while Kafka and Redis are away")
    # HTTP answers before the workers exist: until then /readyz says that it starts
    wait_until(lambda: "[-]start failed: " not in http(port, "/readyz?verbose")[1],
               "the workers")
    status, body = http(port, "/readyz?verbose")
    check(status == 503 and "[-]kafka failed: " in body, "/readyz says no and why", body)
    check(http(port, "/healthz")[0] == 503, "/healthz says the same")
    check(metrics(port)["eddy_ready"] == 0, "so does the metric eddy_ready")
    status, body = http(port, "/config")
    check(status == 200 and json.loads(body)["kafka.brokers"]["value"] == "127.0.0.1:1"
          and "do-not-show" not in body, "/config shows values and no secret", body)
    check("librdkafka" in json.loads(http(port, "/version")[1]), "/version is JSON")
    check("/metrics" in http(port, "/")[1], "the index names the routes")
    manager.wait("WATCHDOG=1")
    manager.wait("EXTEND_TIMEOUT_USEC=")

    reload = "eddy_config_last_reload_successful"
    check(metrics(port)[reload] == 1, "the configuration was read")
    daemon.signal(signal.SIGUSR2)
    daemon.wait_line(r"module=health .*kafka failed")
    check(True, "SIGUSR2 writes the health checks to the log")
    scratch.config("eddy.yaml", {**options, "log.level": "shout"})
    daemon.signal(signal.SIGHUP)
    daemon.wait_line(r"configuration not reloaded: .*eddy\.yaml:\d+.*log\.level")
    check(metrics(port)[reload] == 0, "a bad configuration is refused, the metric says so")
    scratch.config("eddy.yaml", {**options, "log.level": "debug"})
    daemon.signal(signal.SIGHUP)
    daemon.wait_line(r"configuration reloaded: log.level is in force")
    check(metrics(port)[reload] == 1, "a good one is taken")
    scratch.config("eddy.yaml", {**options, "log.level": "error"})
    daemon.signal(signal.SIGHUP)
    wait_until(lambda: metrics(port)[reload] == 1, "the reload")
    daemon.signal(signal.SIGPIPE)
    check(http(port, "/livez")[0] == 200, "SIGPIPE does nothing")

    code = daemon.stop()
    check(code == 0, "SIGTERM ends it with 0 although Kafka never answered", code)
    manager.wait("STOPPING=1")
    check("READY=1" not in manager.seen, "it never claimed to be ready")
    check(http(port, "/livez")[0] == 0, "the port is closed")


def impatience(scratch):
    """A second signal while the first one drains."""
    daemon = scratch.worker("impatient", scratch.config("impatient.yaml", {
        "kafka.brokers": "127.0.0.1:1", "redis.address": "127.0.0.1:1", "http.listen": ""}))
    daemon.wait_line("eddy .* starts")
    daemon.signal(signal.SIGTERM)
    daemon.wait_line("SIGTERM: draining")
    daemon.signal(signal.SIGINT)
    code = daemon.wait()
    check(code == 75, "a second signal ends it at once with 75", code)


def bad_starts(scratch):
    port = free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        result = scratch.run("run", "--set", f"http.listen=127.0.0.1:{port}",
                             "--set", "kafka.brokers=127.0.0.1:1", expect=78)
        check(str(port) in result.err, "a port that is taken is named", result.err)
    result = scratch.run("run", "--role", "api", "--listen", "", expect=78)
    check("http.listen" in result.err, "role api needs an address", result.err)
    result = scratch.run("run", "--set", "kafka.no.such.property=1", expect=78)
    check("no.such.property" in result.err, "a property that librdkafka does not know ends "
          "the start", result.err)


def role_api(scratch):
    redis = Redis(scratch).start()
    port = free_port()
    config = scratch.config("api.yaml", {"redis.address": redis.address, "roles": "api",
                                         "http.listen": f"127.0.0.1:{port}"})
    manager = Notified(scratch.path("api.sock"))
    daemon = scratch.worker("api", config, environment={"NOTIFY_SOCKET": manager.path})
    wait_until(lambda: http(port, "/readyz")[0] == 200, "/readyz")
    manager.wait("READY=1\nSTATUS=ready")
    check(metrics(port)["eddy_ready"] == 1, "eddy_ready is 1")
    daemon.signal(signal.SIGHUP)
    manager.wait("RELOADING=1\nMONOTONIC_USEC=")
    manager.wait("\nREADY=1\n")
    check(http(port, "/v1/lists/u1")[0] == 404, "no list and no default list: 404")
    redis("SET", "eddy:list-default", '{"user":"","items":[]}')
    check(http(port, "/v1/lists/u1") == (200, '{"user":"","items":[]}\n'),
          "a user without a list gets the default list")
    redis("SET", "eddy:list:u 1/ä", '{"user":"u 1/ä","items":[]}')
    status, body = http(port, "/v1/lists/u%201/%C3%A4")
    check(status == 200 and json.loads(body)["user"] == "u 1/ä",
          "user ids may hold blanks, slashes and umlauts", body)
    check(http(port, "/v1/users/u1")[0] == 503, "states need eddy:meta")
    redis("SET", "eddy:meta", json.dumps({
        "layout": 1, "partitions": 4, "partitioner": "murmur2", "initial": "",
        "policy": {"list_size": 25, "exclude_recent": False, "lateness_s": 86400}}))
    check(http(port, "/v1/users/u1")[0] == 404, "a user without a state: 404")
    redis("SET", "{eddy:0}:s:x", "damaged")
    redis("SET", "{eddy:1}:s:x", "damaged")
    redis("SET", "{eddy:2}:s:x", "damaged")
    redis("SET", "{eddy:3}:s:x", "damaged")
    status, body = http(port, "/v1/users/x")
    check(status == 500 and "error" in json.loads(body), "a damaged state is said", body)
    redis.kill()
    wait_until(lambda: http(port, "/readyz")[0] == 503, "un-readiness")
    check(metrics(port)["eddy_ready"] == 0, "eddy_ready is 0")
    check(http(port, "/v1/lists/u1")[0] == 503, "Redis away: 503")
    check(http(port, "/livez")[0] == 200, "and alive")
    redis.start()
    wait_until(lambda: http(port, "/v1/lists/u1")[0] == 200, "recovery")
    check(daemon.stop() == 0, "SIGTERM ends it with 0")


def daemon(scratch, _arguments):
    without_kafka(scratch)
    impatience(scratch)
    bad_starts(scratch)
    role_api(scratch)


if __name__ == "__main__":
    main(daemon)
