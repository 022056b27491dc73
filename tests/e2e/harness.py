"""Harness of the end-to-end tests: real servers, real faults, nothing left behind.

A test is a function that takes a Scratch. The Scratch owns a temporary folder and every
process that the test starts; when the test ends, well or badly, each of them is ended by
its own process id. Servers listen on loopback ports picked at run time. If the test itself
is killed, the kernel ends its children (PR_SET_PDEATHSIG).
"""

import argparse
import ctypes
import glob
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request

import data
import kafka_client as kafka

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SKIPPED = 77  # ctest's SKIP_RETURN_CODE

_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A check said no."""


class Skipped(Exception):
    """Something that the test needs is not on this machine."""


def say(text):
    print(f"[{time.monotonic() - _begun:7.2f}] {text}", flush=True)


_begun = time.monotonic()


def check(condition, sentence, detail=""):
    if not condition:
        raise Failed(f"{sentence}{': ' if detail != '' else ''}{detail}")
    say(f"ok: {sentence}")


def wait_until(condition, what, timeout_s=60, every_s=0.1):
    """Poll until condition() is true; its value. Time-outs are for hanging, not for speed."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"waited {timeout_s} s in vain for: {what}")
        time.sleep(every_s)


_given = set()


def version_of(model):
    """The version of the snapshot in this folder."""
    with open(os.path.join(model, "manifest.json"), encoding="utf-8") as file:
        return json.load(file)["version"]


def free_port():
    """A port that nobody listens on, not given out before. Taken from below the range from
    which the kernel picks the ports of outgoing connections, so that it stays free."""
    picker = random.Random()
    while True:
        port = picker.randint(11000, 31000)
        if port in _given:
            continue
        try:
            with socket.socket() as s:
                s.bind(("127.0.0.1", port))
        except OSError:
            continue
        _given.add(port)
        return port


def _die_with_parent():
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    os.setpgid(0, 0)  # a ^C goes to the test alone, which then ends its children


class Process:
    """A child with its output in a log file of its own."""

    def __init__(self, scratch, name, command, environment=None, folder=None):
        self.name, self.command = name, command
        self.log = os.path.join(scratch.folder, f"{name}.log")
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=folder or scratch.folder, preexec_fn=_die_with_parent,
                env={**os.environ, **(environment or {})})
        self.pid = self.popen.pid

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def is_alive(self):
        return self.popen.poll() is None

    def wait_line(self, pattern, timeout_s=60, count=1):
        """Wait until `count` lines of the log match; fails at once when the process ends."""
        def found():
            hits = re.findall(pattern, self.text(), re.MULTILINE)
            if len(hits) >= count:
                return hits[-1] or True
            if not self.is_alive():
                raise Failed(f"{self.name} ended with {self.popen.returncode} before "
                             f"printing /{pattern}/")
            return None
        return wait_until(found, f"/{pattern}/ in the log of {self.name}", timeout_s)

    def signal(self, number):
        if self.is_alive():
            os.kill(self.pid, number)

    def kill(self):
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.popen.wait()

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def wait(self, timeout_s=60):
        try:
            return self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {timeout_s} s") from None

    def stop(self, timeout_s=60):
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)


class Redis:
    """A redis-server of our own with an append-only file, and a client for it."""

    def __init__(self, scratch, name="redis", settings=(), unix=False, acl=()):
        self.scratch, self.name = scratch, name
        self.folder = os.path.join(scratch.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.socket_path = os.path.join(self.folder, "redis.sock") if unix else None
        self.port = 0 if unix else free_port()
        self.address = f"unix:{self.socket_path}" if unix else f"127.0.0.1:{self.port}"
        lines = ["port %d" % self.port, "bind 127.0.0.1", "dir .", "save \"\"",
                 "appendonly yes", "appendfsync everysec", "aof-load-truncated yes",
                 "auto-aof-rewrite-percentage 0", "daemonize no",
                 "enable-debug-command local", *settings]
        if unix:
            lines.append("unixsocket redis.sock")
        lines += [f"user {rule}" for rule in acl]
        with open(os.path.join(self.folder, "redis.conf"), "w") as conf:
            conf.write("\n".join(lines) + "\n")
        self.process = None
        self.starts = 0
        self._connection = None

    def start(self):
        self.process = self.scratch.start(self.name, ["redis-server", "redis.conf"],
                                          folder=self.folder)
        self.starts += 1
        self.process.wait_line("[Rr]eady to accept connections", 60, self.starts)
        return self

    def kill(self):
        self.process.kill()
        self.forget()

    def forget(self):
        if self._connection:
            self._connection.close()
        self._connection = None

    def cut_tail(self, picker, at_most=65536):
        """Truncate the newest append-only file at a random byte, as a crash of the machine
        would with appendfsync everysec. The server must be down. Returns (bytes cut, size
        before)."""
        newest = sorted(glob.glob(os.path.join(glob.escape(self.folder), "appendonlydir",
                                               "*.incr.aof")))[-1]
        size = os.path.getsize(newest)
        cut = picker.randint(1, max(1, min(at_most, size - 1)))
        os.truncate(newest, size - cut)
        return cut, size

    def connect(self, user=None, password=None):
        """A raw connection: a RESP client in a few lines."""
        return Connection(self, user, password)

    def __call__(self, *arguments):
        """One command; the reply (bytes, int, list, None)."""
        if self._connection is None:
            self._connection = self.connect()
        return self._connection(*arguments)

    def mget(self, keys):
        out = []
        for i in range(0, len(keys), 500):
            out += self("MGET", *keys[i:i + 500])
        return out

    def scan(self, pattern):
        cursor, keys = b"0", []
        while True:
            cursor, some = self("SCAN", cursor, "MATCH", pattern, "COUNT", 5000)
            keys += some
            if cursor == b"0":
                return sorted(set(keys))


class RedisError(Exception):
    pass


class Connection:
    def __init__(self, redis, user=None, password=None):
        if redis.socket_path:
            self._socket = socket.socket(socket.AF_UNIX)
            # Paths of sockets are short: go by the folder's descriptor.
            folder = os.open(redis.folder, os.O_PATH)
            self._socket.connect(f"/proc/self/fd/{folder}/redis.sock")
            os.close(folder)
        else:
            self._socket = socket.create_connection(("127.0.0.1", redis.port))
        self._file = self._socket.makefile("rb")
        if password is not None:
            self("AUTH", *([user] if user else []), password)

    def close(self):
        self._file.close()
        self._socket.close()

    def __call__(self, *arguments):
        parts = [b"*%d\r\n" % len(arguments)]
        for argument in arguments:
            if not isinstance(argument, bytes):
                argument = str(argument).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(argument), argument))
        self._socket.sendall(b"".join(parts))
        reply = self._reply()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def _reply(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._file.read(size + 2)[:-2]
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        raise ConnectionError(f"no RESP: {line!r}")


def kafka_jars():
    version = re.search("<kafka.version>(.*)</kafka.version>",
                        open(os.path.join(HERE, "kafka", "pom.xml")).read()).group(1)
    cache = os.environ.get("EDDY_CACHE") or os.path.join(
        os.environ.get("HOME", "/tmp"), ".cache", "eddy")
    jars = os.path.join(cache, f"kafka-{version}")
    if not os.path.isdir(jars):
        raise Skipped(f"no Kafka jars in {jars} (bash tests/e2e/kafka/fetch.sh)")
    if not shutil.which("java"):
        raise Skipped("no java here")
    return jars


class Kafka:
    """One broker, KRaft, as a team would run it; killed and started again on its data."""

    CLUSTER = "4L6g3nShT-eMCtK--X86sw"  # any fixed 22-character id

    def __init__(self, scratch, name="kafka", settings=None, format_arguments=(),
                 listener="PLAINTEXT"):
        self.scratch, self.name = scratch, name
        self.jars = kafka_jars()
        self.port, self.controller_port = free_port(), free_port()
        self.brokers = f"127.0.0.1:{self.port}"
        self.format_arguments = list(format_arguments)
        self.folder = os.path.join(scratch.folder, name)
        os.makedirs(self.folder)
        # A heap for tests: gigabytes of default heap would push others out of memory.
        self.java = ["java", "-Xms192m", "-Xmx512m", "-XX:+UseSerialGC",
                     "-XX:TieredStopAtLevel=1",
                     f"-Dlog4j.configuration=file:{HERE}/kafka/log4j.properties",
                     "-cp", os.path.join(self.jars, "*")]
        values = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"{listener}://127.0.0.1:{self.port},"
                         f"CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"{listener}://127.0.0.1:{self.port}",
            "listener.security.protocol.map": f"{listener}:{listener},"
                                              "CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": listener,
            "log.dirs": "data",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 1000,
            "auto.create.topics.enable": "false",
            "broker.heartbeat.interval.ms": 500,
            "broker.session.timeout.ms": 3000,
            "num.partitions": 8,
            "num.network.threads": 1,
            "num.io.threads": 2,
            "log.cleaner.dedupe.buffer.size": 16777216,
            **(settings or {}),
        }
        with open(os.path.join(self.folder, "server.properties"), "w") as file:
            for key, value in values.items():
                file.write(f"{key}={value}\n")
        self.starts = 0
        self.process = None

    def start(self):
        if self.starts == 0:
            done = subprocess.run(
                [*self.java, "kafka.tools.StorageTool", "format", "-t", self.CLUSTER, "-c",
                 "server.properties", "--ignore-formatted", *self.format_arguments],
                cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, check=False)
            if done.returncode != 0:
                raise Failed("Kafka's storage could not be formatted: "
                             + done.stdout.decode(errors="replace")[-2000:])
        self.begin()
        self.wait()
        return self

    def begin(self):
        self.process = self.scratch.start(
            self.name, [*self.java, "kafka.Kafka", "server.properties"],
            folder=self.folder)
        self.starts += 1

    def wait(self):
        self.process.wait_line("Kafka Server started", 120, self.starts)

    def kill(self):
        self.process.kill()


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err


class Scratch:
    """The folder and the processes of one test."""

    def __init__(self, eddy, keep=False):
        self.eddy = eddy
        self.keep = keep
        # A blank in the path, because users have them.
        self.folder = os.path.join(tempfile.mkdtemp(prefix="eddy-e2e-"), "a test")
        os.makedirs(self.folder)
        self.processes = []

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def start(self, name, command, **options):
        process = Process(self, name, command, **options)
        self.processes.append(process)
        return process

    def run(self, *arguments, timeout_s=300, environment=None, expect=0):
        """Run an eddy command to its end. expect None: any exit status."""
        command = [self.eddy, *map(str, arguments)]
        try:
            done = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=timeout_s, check=False,
                                  preexec_fn=_die_with_parent,
                                  env={**os.environ, **(environment or {})})
        except subprocess.TimeoutExpired:
            raise Failed(f"eddy {arguments[0]} ran over {timeout_s} s") from None
        result = Result(done.returncode, done.stdout.decode(errors="replace"),
                        done.stderr.decode(errors="replace"))
        if expect is not None and result.code != expect:
            raise Failed(f"eddy {' '.join(map(str, arguments))} ended with {result.code}, "
                         f"not {expect}:\n{result.out[-2000:]}\n{result.err[-2000:]}")
        return result

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def config(self, name, options):
        """A configuration file from dotted names."""
        tree = {}
        for key, value in options.items():
            section, _, rest = key.partition(".")
            if rest:
                tree.setdefault(section, {})[rest] = value
            else:
                tree[section] = value
        lines = []
        for key, value in tree.items():
            if isinstance(value, dict):
                lines.append(f"{key}:")
                lines += [f"  {k}: {_scalar(v)}" for k, v in value.items()]
            else:
                lines.append(f"{key}: {_scalar(value)}")
        return self.write(name, "\n".join(lines) + "\n")

    def worker(self, name, config, *arguments, environment=None):
        """eddy run, as a process of its own."""
        return self.start(name, [self.eddy, "run", "-c", config, *arguments],
                          environment=environment)

    def end(self, failed):
        for process in reversed(self.processes):
            if process.is_alive():
                process.resume()
                process.kill()
        if failed:
            for process in {p.log: p for p in self.processes}.values():
                lines = process.text().splitlines()
                print(f"---- last lines of {process.name}", flush=True)
                eddy = process.command[0] == self.eddy
                for line in lines[-25:] if eddy else lines[-4:]:
                    print(f"     {line[:300]}")
        if self.keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(os.path.dirname(self.folder), ignore_errors=True)


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value)


class Deployment:
    """One dataset group: a configuration, its topics, its workers."""

    def __init__(self, scratch, kafka_server, redis, partitions=8, file="eddy.yaml",
                 **options):
        self.scratch, self.kafka, self.redis = scratch, kafka_server, redis
        self.partitions = partitions
        self.options = {
            "group": "eddy",
            "kafka.brokers": kafka_server.brokers if kafka_server else "127.0.0.1:1",
            "redis.address": redis.address if redis else "127.0.0.1:1",
            "model.folder": scratch.path("models"),
            "http.listen": "",
            "log.level": "info",
            # Short, so that a killed member's partitions are taken over while tests wait.
            "kafka.session.timeout.ms": 6000,
            "kafka.heartbeat.interval.ms": 500,
            **{key.replace("__", "."): value for key, value in options.items()},
        }
        self.file = scratch.config(file, self.options)
        self.workers = []

    def topic(self, name):
        return self.options.get(f"kafka.{name}") or {
            "events": "eddy.events", "lists": "eddy.lists", "dead_letters": "eddy.dlq",
        }[name]

    def create_topics(self):
        return self.scratch.run("check", "-c", self.file, "--create-topics",
                                "--partitions", self.partitions)

    def start(self, name=None, ready=True, environment=None, **options):
        """A process of `eddy run` with an HTTP port of its own."""
        port = free_port()
        arguments = [f"--set=http.listen=127.0.0.1:{port}"]
        for key, value in options.items():
            arguments.append(f"--set={key.replace('__', '.')}={value}")
        worker = self.scratch.worker(name or f"worker-{len(self.workers)}", self.file, *arguments,
                                     environment=environment)
        worker.port = port
        self.workers.append(worker)
        if ready:
            wait_ready(worker)
        return worker

    def bounds(self, name="events"):
        return kafka.bounds(self.kafka.brokers, self.topic(name), self.partitions)

    def alive(self):
        return [worker for worker in self.workers if worker.is_alive()]

    def position(self, partition):
        """The stored position of a partition, or None."""
        try:
            value = self.redis("GET", f"{{eddy:{partition}}}:offset")
        except (OSError, RedisError):
            self.redis.forget()
            return None
        return value and msgpack_map(value)

    def wait_drained(self, timeout_s=120):
        """Until the stored offset of every partition is the end of its log, and the list
        topic has confirmed every list."""
        ends = [high for _low, high in self.bounds()]

        def drained():
            for partition, end in enumerate(ends):
                position = self.position(partition)
                if end and (position is None or position["offset"] < end):
                    return False
            return all(metrics(worker.port).get("eddy_outbox_users") == 0
                       for worker in self.alive())
        wait_until(drained, "the workers to reach the end of the log", timeout_s, 0.25)

    def last_lists(self, newest=False):
        """{user: last record} of the list topic, how many records it holds, and of how many
        keys the last record is not the newest revision. newest: the record of the highest
        revision instead, which is what a reader keeps who ignores smaller ones."""
        last, revisions, count, older = {}, {}, 0, set()
        for record in kafka.read(self.kafka.brokers, self.topic("lists"), self.partitions):
            count += 1
            revision = int(re.search(rb'"rev":(\d+)', record.value).group(1))
            if revision < revisions.get(record.key, 0):
                older.add(record.key)
                if newest:
                    continue
            else:
                older.discard(record.key)
            revisions[record.key] = max(revision, revisions.get(record.key, 0))
            last[record.key] = record.value
        return last, count, len(older)

    def check_lists(self, what, newest=False):
        """The last record of every key of the list topic equals the list in Redis."""
        last, count, older = self.last_lists(newest)
        users = sorted(last)
        in_redis = self.redis.mget([b"eddy:list:" + user for user in users])
        differ = [user for user, value in zip(users, in_redis) if value != last[user]]
        check(not differ, f"{what}: the {'newest' if newest else 'last'} record of each of "
              f"{len(users)} keys of {self.topic('lists')} ({count} records) equals "
              "eddy:list:USER",
              [(u, last[u], self.redis("GET", b"eddy:list:" + u)) for u in differ[:2]])
        if newest:
            say(f"   an older record came last for {older} keys")
        stored = {key[len(b"eddy:list:"):] for key in self.redis.scan("eddy:list:*")}
        check(stored == set(users), f"{what}: Redis and the topic have lists of the same "
              "users", sorted(stored.symmetric_difference(users))[:5])
        return last


def msgpack_map(data):
    """The top level of a msgpack map with text keys and scalar or map values (positions)."""
    value, rest = _msgpack(data)
    if rest:
        raise Failed(f"{len(rest)} bytes behind a msgpack value")
    return value


def _msgpack(data):
    tag, rest = data[0], data[1:]

    def number(size, signed=False):
        return int.from_bytes(rest[:size], "big", signed=signed), rest[size:]

    def text(size, at):
        return rest[at:at + size], rest[at + size:]
    if tag < 0x80:
        return tag, rest
    if tag >= 0xe0:
        return tag - 256, rest
    if tag < 0x90 or tag in (0xde,):
        count, rest = (tag & 15, rest) if tag < 0x90 else number(2)
        out = {}
        for _ in range(count):
            key, rest = _msgpack(rest)
            out[key], rest = _msgpack(rest)
        return out, rest
    if tag < 0xa0 or tag in (0xdc,):
        count, rest = (tag & 15, rest) if tag < 0xa0 else number(2)
        out = []
        for _ in range(count):
            value, rest = _msgpack(rest)
            out.append(value)
        return out, rest
    if tag < 0xc0:
        raw, rest = text(tag & 31, 0)
        return raw.decode(), rest
    if tag in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[tag], rest
    if tag in (0xcc, 0xcd, 0xce, 0xcf):
        return number(1 << (tag - 0xcc))
    if tag in (0xd0, 0xd1, 0xd2, 0xd3):
        return number(1 << (tag - 0xd0), True)
    if tag in (0xd9, 0xda, 0xc4, 0xc5):
        width = 1 if tag in (0xd9, 0xc4) else 2
        raw, rest = text(int.from_bytes(rest[:width], "big"), width)
        return raw.decode() if tag < 0xdc and tag > 0xc5 else raw, rest
    raise Failed(f"msgpack tag {tag:#x} is not expected here")


def train(scratch, name, rows, *settings, seed=1, context=False):
    """A small model from rows; its folder."""
    path = data.write_csv(scratch.path(f"{name}.csv"), rows, context)
    folder = scratch.path(name)
    arguments = []
    for setting in settings:
        arguments += ["--set", setting]
    scratch.run("train", "-i", path, "-o", folder, "--seed", seed, "--threads", 2,
                *arguments)
    return folder


def http(port, path, timeout_s=5):
    """(status, body), or (0, reason) when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}",
                                    timeout=timeout_s) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def wait_ready(worker, timeout_s=60):
    last = [None]

    def ready():
        if not worker.is_alive():
            raise Failed(f"{worker.name} ended with {worker.popen.returncode}")
        last[0] = http(worker.port, "/readyz?verbose")
        return last[0][0] == 200
    try:
        wait_until(ready, f"readiness of {worker.name}", timeout_s)
    except Failed as failure:
        raise Failed(f"{failure}; last answer of /readyz: {last[0]}") from None


def metrics(port):
    """{name with labels: value} of /metrics; empty while nobody listens."""
    status, body = http(port, "/metrics")
    if status == 0:
        return {}
    if status != 200:
        raise Failed(f"/metrics answered {status}: {body[:200]}")
    out = {}
    for line in body.splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            out[name] = float(value)
    return out


def main(test, add_arguments=None):
    parser = argparse.ArgumentParser(description=test.__doc__)
    parser.add_argument("--eddy", default=os.path.join(ROOT, "build", "release", "eddy"))
    parser.add_argument("--keep", action="store_true", help="leave the folder behind")
    parser.add_argument("--long", action="store_true",
                        default=bool(os.environ.get("EDDY_LONG")),
                        help="the full programme (also EDDY_LONG=1)")
    parser.add_argument("--seed", type=int,
                        default=int(os.environ.get("EDDY_SEED", "1")))
    if add_arguments:
        add_arguments(parser)
    arguments = parser.parse_args()
    arguments.eddy = os.path.abspath(arguments.eddy)
    # ctest's time-out and a ^C end the test like a failure, with its clean-up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    scratch = Scratch(arguments.eddy, arguments.keep)
    failed = True
    try:
        test(scratch, arguments)
        failed = False
    except Skipped as reason:
        print(f"skipped: {reason}")
        failed = False
        sys.exit(SKIPPED)
    except Exception as failure:  # whatever it is, the servers' last words help
        traceback.print_exc(limit=-3, file=sys.stdout)
        print(f"FAILED: {failure}", flush=True)
        sys.exit(1)
    finally:
        scratch.end(failed)
    say("passed")
