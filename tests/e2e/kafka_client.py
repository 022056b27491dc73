"""A small Kafka client for tests: librdkafka (which eddy needs anyway) through ctypes.

It shares no code with eddy, so what eddy wrote is read by somebody else. Bytes in, bytes
out: nothing is decoded here.
"""

import ctypes
import ctypes.util
from ctypes import (CFUNCTYPE, POINTER, Structure, Union, byref, c_char_p, c_int, c_int32,
                    c_int64, c_size_t, c_ssize_t, c_void_p)

PARTITION_EOF = -191
VTYPE_END, VTYPE_TOPIC, VTYPE_PARTITION, VTYPE_VALUE, VTYPE_KEY = 0, 1, 3, 4, 5
VTYPE_MSGFLAGS, VTYPE_TIMESTAMP, VTYPE_HEADER = 7, 8, 9
MSG_F_COPY = 2


class KafkaError(Exception):
    pass


class _Message(Structure):
    _fields_ = [("err", c_int), ("rkt", c_void_p), ("partition", c_int32),
                ("payload", c_void_p), ("len", c_size_t), ("key", c_void_p),
                ("key_len", c_size_t), ("offset", c_int64), ("private", c_void_p)]


class _Mem(Structure):
    _fields_ = [("ptr", c_char_p), ("size", c_size_t)]


class _Header(Structure):
    _fields_ = [("name", c_char_p), ("val", c_char_p), ("size", c_ssize_t)]


class _Value(Union):
    _fields_ = [("cstr", c_char_p), ("i", c_int), ("i32", c_int32), ("i64", c_int64),
                ("mem", _Mem), ("header", _Header), ("pad", ctypes.c_char * 64)]


class _Vu(Structure):
    _fields_ = [("vtype", c_int), ("u", _Value)]


class _TopicMetadata(Structure):
    _fields_ = [("topic", c_char_p), ("partition_count", c_int), ("partitions", c_void_p),
                ("err", c_int)]


class _Metadata(Structure):
    _fields_ = [("broker_count", c_int), ("brokers", c_void_p), ("topic_count", c_int),
                ("topics", POINTER(_TopicMetadata)), ("orig_broker_id", c_int32),
                ("orig_broker_name", c_char_p)]


_REPORT = CFUNCTYPE(None, c_void_p, POINTER(_Message), c_void_p)


def _load():
    rk = ctypes.CDLL("librdkafka.so.1")
    signatures = {
        "rd_kafka_conf_new": (c_void_p, []),
        "rd_kafka_conf_set": (c_int, [c_void_p, c_char_p, c_char_p, c_char_p, c_size_t]),
        "rd_kafka_conf_set_dr_msg_cb": (None, [c_void_p, _REPORT]),
        "rd_kafka_new": (c_void_p, [c_int, c_void_p, c_char_p, c_size_t]),
        "rd_kafka_destroy": (None, [c_void_p]),
        "rd_kafka_flush": (c_int, [c_void_p, c_int]),
        "rd_kafka_poll": (c_int, [c_void_p, c_int]),
        "rd_kafka_outq_len": (c_int, [c_void_p]),
        "rd_kafka_produceva": (c_void_p, [c_void_p, POINTER(_Vu), c_size_t]),
        "rd_kafka_error_code": (c_int, [c_void_p]),
        "rd_kafka_error_destroy": (None, [c_void_p]),
        "rd_kafka_err2str": (c_char_p, [c_int]),
        "rd_kafka_topic_partition_list_new": (c_void_p, [c_int]),
        "rd_kafka_topic_partition_list_add": (c_void_p, [c_void_p, c_char_p, c_int32]),
        "rd_kafka_topic_partition_list_set_offset":
            (c_int, [c_void_p, c_char_p, c_int32, c_int64]),
        "rd_kafka_topic_partition_list_destroy": (None, [c_void_p]),
        "rd_kafka_assign": (c_int, [c_void_p, c_void_p]),
        "rd_kafka_poll_set_consumer": (c_int, [c_void_p]),
        "rd_kafka_consumer_poll": (POINTER(_Message), [c_void_p, c_int]),
        "rd_kafka_message_destroy": (None, [POINTER(_Message)]),
        "rd_kafka_message_timestamp": (c_int64, [POINTER(_Message), c_void_p]),
        "rd_kafka_message_headers": (c_int, [POINTER(_Message), POINTER(c_void_p)]),
        "rd_kafka_header_get_all": (c_int, [c_void_p, c_size_t, POINTER(c_char_p),
                                            POINTER(c_void_p), POINTER(c_size_t)]),
        "rd_kafka_query_watermark_offsets":
            (c_int, [c_void_p, c_char_p, c_int32, POINTER(c_int64), POINTER(c_int64),
                     c_int]),
        "rd_kafka_topic_new": (c_void_p, [c_void_p, c_char_p, c_void_p]),
        "rd_kafka_topic_destroy": (None, [c_void_p]),
        "rd_kafka_metadata": (c_int, [c_void_p, c_int, c_void_p,
                                      POINTER(POINTER(_Metadata)), c_int]),
        "rd_kafka_metadata_destroy": (None, [POINTER(_Metadata)]),
        "rd_kafka_queue_new": (c_void_p, [c_void_p]),
        "rd_kafka_queue_destroy": (None, [c_void_p]),
        "rd_kafka_queue_poll": (c_void_p, [c_void_p, c_int]),
        "rd_kafka_event_error": (c_int, [c_void_p]),
        "rd_kafka_event_error_string": (c_char_p, [c_void_p]),
        "rd_kafka_event_destroy": (None, [c_void_p]),
        "rd_kafka_NewTopic_new": (c_void_p, [c_char_p, c_int, c_int, c_char_p, c_size_t]),
        "rd_kafka_CreateTopics":
            (None, [c_void_p, POINTER(c_void_p), c_size_t, c_void_p, c_void_p]),
        "rd_kafka_NewPartitions_new": (c_void_p, [c_char_p, c_size_t, c_char_p, c_size_t]),
        "rd_kafka_CreatePartitions":
            (None, [c_void_p, POINTER(c_void_p), c_size_t, c_void_p, c_void_p]),
        "rd_kafka_AclBinding_new": (c_void_p, [c_int, c_char_p, c_int, c_char_p, c_char_p,
                                               c_int, c_int, c_char_p, c_size_t]),
        "rd_kafka_CreateAcls":
            (None, [c_void_p, POINTER(c_void_p), c_size_t, c_void_p, c_void_p]),
    }
    for name, (restype, argtypes) in signatures.items():
        function = getattr(rk, name)
        function.restype = restype
        function.argtypes = argtypes
    return rk


_rk = _load()


def _check(code, what):
    if code != 0:
        raise KafkaError(f"{what}: {_rk.rd_kafka_err2str(code).decode()}")


def _client(kind, properties, report=None):
    conf = _rk.rd_kafka_conf_new()
    text = ctypes.create_string_buffer(512)
    for name, value in properties.items():
        if _rk.rd_kafka_conf_set(conf, name.encode(), str(value).encode(), text, 512) != 0:
            raise KafkaError(text.value.decode())
    if report is not None:
        _rk.rd_kafka_conf_set_dr_msg_cb(conf, report)
    client = _rk.rd_kafka_new(kind, conf, text, 512)
    if not client:
        raise KafkaError(text.value.decode())
    return client


class Record:
    __slots__ = ("partition", "offset", "timestamp_ms", "key", "value", "headers")

    def __init__(self, partition, offset, timestamp_ms, key, value, headers):
        self.partition, self.offset, self.timestamp_ms = partition, offset, timestamp_ms
        self.key, self.value, self.headers = key, value, headers


class Producer:
    """Idempotent; flush() raises when any record was not confirmed."""

    def __init__(self, brokers, properties=None):
        self.failures = []
        self.delivered = 0
        self.offsets = {}  # (topic is not told) partition -> next offset
        self._report = _REPORT(self._on_report)
        self._client = _client(0, {"bootstrap.servers": brokers,
                                   "enable.idempotence": "true",
                                   "partitioner": "murmur2_random",
                                   "message.max.bytes": 20000000,
                                   "linger.ms": 5,
                                   "log_level": 3, **(properties or {})}, self._report)

    def _on_report(self, _client_, message, _opaque):
        message = message.contents
        if message.err:
            self.failures.append(_rk.rd_kafka_err2str(message.err).decode())
        else:
            self.delivered += 1
            self.offsets[message.partition] = message.offset + 1

    def send(self, topic, value, key=None, partition=-1, headers=(), timestamp_ms=0):
        vus = (_Vu * (6 + len(headers)))()
        vus[0].vtype, vus[0].u.cstr = VTYPE_TOPIC, topic.encode()
        vus[1].vtype, vus[1].u.i32 = VTYPE_PARTITION, partition
        vus[2].vtype, vus[2].u.i = VTYPE_MSGFLAGS, MSG_F_COPY
        vus[3].vtype, vus[3].u.i64 = VTYPE_TIMESTAMP, timestamp_ms
        vus[4].vtype = VTYPE_VALUE
        if value is not None:
            vus[4].u.mem.ptr, vus[4].u.mem.size = value, len(value)
        vus[5].vtype = VTYPE_KEY
        if key is not None:
            vus[5].u.mem.ptr, vus[5].u.mem.size = key, len(key)
        for i, (name, header) in enumerate(headers):
            vu = vus[6 + i]
            vu.vtype = VTYPE_HEADER
            vu.u.header.name, vu.u.header.val = name.encode(), header
            vu.u.header.size = len(header)
        while True:
            error = _rk.rd_kafka_produceva(self._client, vus, len(vus))
            if not error:
                break
            code = _rk.rd_kafka_error_code(error)
            _rk.rd_kafka_error_destroy(error)
            if code != -184:  # queue full
                _check(code, f"produce to {topic}")
            _rk.rd_kafka_poll(self._client, 100)
        _rk.rd_kafka_poll(self._client, 0)

    def poll(self, timeout_ms=0):
        _rk.rd_kafka_poll(self._client, timeout_ms)

    def flush(self, timeout_s=60):
        _rk.rd_kafka_flush(self._client, int(timeout_s * 1000))
        left = _rk.rd_kafka_outq_len(self._client)
        if left or self.failures:
            raise KafkaError(f"{left} records not confirmed, {len(self.failures)} failed: "
                             f"{self.failures[:3]}")

    def close(self):
        _rk.rd_kafka_destroy(self._client)


def partitions_of(brokers, topic, properties=None):
    """How many partitions a topic has; 0 when it does not exist."""
    client = _client(0, {"bootstrap.servers": brokers, "log_level": 3,
                         **(properties or {})})
    handle = _rk.rd_kafka_topic_new(client, topic.encode(), None)
    try:
        found = POINTER(_Metadata)()
        _check(_rk.rd_kafka_metadata(client, 0, handle, byref(found), 20000), "metadata")
        count = found.contents.topics[0].partition_count
        _rk.rd_kafka_metadata_destroy(found)
        return count
    finally:
        _rk.rd_kafka_topic_destroy(handle)
        _rk.rd_kafka_destroy(client)


def bounds(brokers, topic, partitions, properties=None, timeout_s=20):
    """[(first offset, next offset)] of every partition."""
    client = _client(1, {"bootstrap.servers": brokers, "log_level": 3,
                         **(properties or {})})
    try:
        out = []
        for partition in range(partitions):
            low, high = c_int64(), c_int64()
            _check(_rk.rd_kafka_query_watermark_offsets(
                client, topic.encode(), partition, byref(low), byref(high),
                int(timeout_s * 1000)), f"offsets of {topic}")
            out.append((low.value, high.value))
        return out
    finally:
        _rk.rd_kafka_destroy(client)


def read(brokers, topic, partitions, headers=False, properties=None, timeout_s=60):
    """Every record that the topic holds now, partition by partition in order of arrival."""
    ends = bounds(brokers, topic, partitions, properties)
    client = _client(1, {"bootstrap.servers": brokers, "group.id": "test-reader",
                         "enable.auto.commit": "false", "enable.partition.eof": "true",
                         "fetch.wait.max.ms": 50, "queued.min.messages": 1000000,
                         "log_level": 3, **(properties or {})})
    try:
        _rk.rd_kafka_poll_set_consumer(client)
        assignment = _rk.rd_kafka_topic_partition_list_new(partitions)
        for partition, (low, _high) in enumerate(ends):
            _rk.rd_kafka_topic_partition_list_add(assignment, topic.encode(), partition)
            _rk.rd_kafka_topic_partition_list_set_offset(
                assignment, topic.encode(), partition, low)
        _check(_rk.rd_kafka_assign(client, assignment), "assign")
        _rk.rd_kafka_topic_partition_list_destroy(assignment)
        missing = {p for p, (low, high) in enumerate(ends) if low < high}
        idle = 0
        while missing:
            message = _rk.rd_kafka_consumer_poll(client, 200)
            if not message:
                idle += 1
                if idle > timeout_s * 5:
                    raise KafkaError(f"{topic}: nothing more came, {len(missing)} "
                                     "partitions not at their end")
                continue
            idle = 0
            m = message.contents
            record = None
            if m.err == PARTITION_EOF:
                missing.discard(m.partition)
            elif m.err == 0:
                if m.offset >= ends[m.partition][1] - 1:
                    missing.discard(m.partition)
                if m.offset < ends[m.partition][1]:
                    record = Record(
                        m.partition, m.offset,
                        _rk.rd_kafka_message_timestamp(message, None),
                        ctypes.string_at(m.key, m.key_len) if m.key else None,
                        ctypes.string_at(m.payload, m.len) if m.payload else None,
                        _headers(message) if headers else None)
            # Destroyed before the record goes out: a reader that stops early would
            # otherwise leave rd_kafka_destroy waiting for it.
            _rk.rd_kafka_message_destroy(message)
            if record:
                yield record
    finally:
        _rk.rd_kafka_destroy(client)


def _headers(message):
    out = []
    block = c_void_p()
    if _rk.rd_kafka_message_headers(message, byref(block)) != 0:
        return out
    name, value, size = c_char_p(), c_void_p(), c_size_t()
    index = 0
    while _rk.rd_kafka_header_get_all(block, index, byref(name), byref(value),
                                      byref(size)) == 0:
        out.append((name.value.decode(),
                    ctypes.string_at(value, size.value) if value else None))
        index += 1
    return out


def _admin(brokers, properties, call):
    client = _client(0, {"bootstrap.servers": brokers, "log_level": 3,
                         **(properties or {})})
    queue = _rk.rd_kafka_queue_new(client)
    try:
        call(client, queue)
        event = _rk.rd_kafka_queue_poll(queue, 30000)
        if not event:
            raise KafkaError("no answer to an admin request")
        code = _rk.rd_kafka_event_error(event)
        text = _rk.rd_kafka_event_error_string(event)
        _rk.rd_kafka_event_destroy(event)
        if code:
            raise KafkaError(text.decode())
    finally:
        _rk.rd_kafka_queue_destroy(queue)
        _rk.rd_kafka_destroy(client)


def _objects(pointers):
    return (c_void_p * len(pointers))(*pointers)


def create_topic(brokers, topic, partitions, properties=None):
    text = ctypes.create_string_buffer(512)
    new = _rk.rd_kafka_NewTopic_new(topic.encode(), partitions, 1, text, 512)
    _admin(brokers, properties, lambda client, queue: _rk.rd_kafka_CreateTopics(
        client, _objects([new]), 1, None, queue))


def grow_topic(brokers, topic, partitions, properties=None):
    """Give a topic more partitions."""
    text = ctypes.create_string_buffer(512)
    new = _rk.rd_kafka_NewPartitions_new(topic.encode(), partitions, text, 512)
    _admin(brokers, properties, lambda client, queue: _rk.rd_kafka_CreatePartitions(
        client, _objects([new]), 1, None, queue))


# rd_kafka_ResourceType_t and rd_kafka_AclOperation_t
TOPIC, GROUP = 2, 3
READ, WRITE, DESCRIBE, DESCRIBE_CONFIGS = 3, 4, 8, 10


def allow(brokers, properties, principal, rules):
    """Allow (resource type, name, operation) rules to a principal from any host."""
    text = ctypes.create_string_buffer(512)
    bindings = []
    for kind, name, operation in rules:
        binding = _rk.rd_kafka_AclBinding_new(kind, name.encode(), 3, principal.encode(),
                                              b"*", operation, 3, text, 512)
        if not binding:
            raise KafkaError(text.value.decode())
        bindings.append(binding)
    _admin(brokers, properties, lambda client, queue: _rk.rd_kafka_CreateAcls(
        client, _objects(bindings), len(bindings), None, queue))

