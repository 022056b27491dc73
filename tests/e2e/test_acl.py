#!/usr/bin/env python3
"""The rights that deploy/README.md documents are enough, and no more than needed.

Redis: the ACL rule is read out of deploy/redis.conf, so that the document is what is
tested. Kafka (SASL/PLAIN and ACLs): the rules of deploy/README.md.
"""

import os
import re

from harness import (ROOT, Deployment, Kafka, Redis, RedisError, check, data, http, kafka, main,
                     say, train, wait_ready, wait_until)

PARTITIONS = 3
ADMIN = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
         "sasl.username": "admin", "sasl.password": "admin-secret"}


def documented_rule(password):
    """The `user eddy ...` line of deploy/redis.conf with a password put in."""
    text = open(os.path.join(ROOT, "deploy", "redis.conf")).read()
    rule = re.search(r"^#?\s*user (eddy .*)$", text, re.MULTILINE).group(1)
    return re.sub(r">\S+", ">" + password, rule)


def documented_rights(user):
    """(resource type, name, operation) of the kafka-acls.sh lines of deploy/README.md."""
    text = open(os.path.join(ROOT, "deploy", "README.md")).read()
    return [({"topic": kafka.TOPIC, "group": kafka.GROUP}[kind], name,
             {"Read": kafka.READ, "Write": kafka.WRITE}[operation])
            for operation, kind, name in re.findall(
                rf"^kafka-acls.sh .* --allow-principal User:{user} --operation (\w+) "
                r"--(\w+) (\S+)$", text, re.MULTILINE)]


def acl(scratch, _arguments):
    redis = Redis(scratch, unix=True, acl=["default on >boss ~* &* +@all",
                                           documented_rule("s3cret-word")]).start()
    redis._connection = redis.connect(None, "boss")
    server = Kafka(scratch, listener="SASL_PLAINTEXT", settings={
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config":
            'org.apache.kafka.common.security.plain.PlainLoginModule required '
            'username="admin" password="admin-secret" user_admin="admin-secret" '
            'user_eddy="eddy-secret" user_operator="operator-secret";',
        "authorizer.class.name":
            "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:admin;User:ANONYMOUS",
    }).start()
    say("a Redis with ACL users and a broker with SASL and ACLs are up")

    rows = data.generated(3000, users=100, items=60)
    model = train(scratch, "model", rows, "hidden_dimension=32", "layers=1", "epochs=1")
    sasl = {"kafka__security.protocol": "SASL_PLAINTEXT", "kafka__sasl.mechanism": "PLAIN"}
    admin = Deployment(scratch, server, redis, PARTITIONS, "admin.yaml",
                       redis__password="boss", **sasl,
                       **{"kafka__sasl.username": "admin",
                          "kafka__sasl.password": "admin-secret"})
    secret = scratch.write("redis.password", "s3cret-word\n")
    group = Deployment(scratch, server, redis, PARTITIONS,
                       redis__user="eddy", redis__password_file=secret, **sasl,
                       **{"kafka__sasl.username": "eddy",
                          "kafka__sasl.password": "eddy-secret"})
    admin.create_topics()
    scratch.run("deploy", "-m", model, "-c", admin.file)

    # Without rights: the broker's refusal is in /readyz, and the process stays.
    worker = group.start(ready=False)
    wait_until(lambda: "uthoriz" in http(worker.port, "/readyz?verbose")[1]
               and http(worker.port, "/readyz")[0] == 503,
               "/readyz to say that the broker refuses")
    say(http(worker.port, "/readyz?verbose")[1].strip().replace("\n", " | ")[:300])

    check(documented_rights("eddy") == [(kafka.TOPIC, "eddy.events", kafka.READ),
                                        (kafka.TOPIC, "eddy.lists", kafka.WRITE),
                                        (kafka.TOPIC, "eddy.dlq", kafka.WRITE),
                                        (kafka.GROUP, "eddy", kafka.READ)],
          "the runbook's rights of a worker are read", documented_rights("eddy"))
    for name in ("eddy", "operator"):
        kafka.allow(server.brokers, ADMIN, f"User:{name}", documented_rights(name))
    wait_ready(worker)
    say("ok: with them granted it goes on by itself")
    events = data.write_csv(scratch.path("events.csv"), rows)
    scratch.run("load", "-c", admin.file, "-i", events, "--quiet")
    # A bad record, for the right to write dead letters.
    producer = kafka.Producer(server.brokers, ADMIN)
    producer.send("eddy.events", b"no event", key=b"u1", partition=0)
    producer.flush()
    producer.close()

    def drained():
        positions = [group.position(p) for p in range(PARTITIONS)]
        ends = [high for _low, high in kafka.bounds(server.brokers, "eddy.events",
                                                    PARTITIONS, ADMIN)]
        return all(p and p["offset"] >= e for p, e in zip(positions, ends))
    wait_until(drained, "the worker to reach the end of the log", 60)
    letters = kafka.partitions_of(server.brokers, "eddy.dlq", ADMIN)
    check(sum(high - low for low, high in kafka.bounds(server.brokers, "eddy.dlq", letters,
                                                       ADMIN)) == 1,
          "the dead letter is in its topic")
    operator = Deployment(scratch, server, redis, PARTITIONS, "operator.yaml",
                          redis__user="eddy", redis__password_file=secret, **sasl,
                          **{"kafka__sasl.username": "operator",
                             "kafka__sasl.password": "operator-secret"})
    for words in (("deploy", "-m", model, "--wait"), ("load", "-i", events, "--limit", 5),
                  ("dlq", "list"), ("inspect", "event", "0:0"), ("inspect", "offset"),
                  ("inspect", "outbox")):
        scratch.run(*words, "-c", operator.file)
        say(f"ok: an operator may {words[0]}")
    wait_until(drained, "the worker to reach the end of the log again", 60)
    scratch.run("replay", "-c", operator.file, "--compare")
    say("replay agrees")
    checked = scratch.run("check", "-c", group.file, expect=None)
    check(checked.code == 0 and "FAILED" not in checked.out,
          "check finds all well with these rights", checked.out + checked.err)
    check(worker.stop() == 0, "SIGTERM drains and exits with 0")

    # The rule is no wider than eddy's own keys and commands.
    eddy = redis.connect("eddy", "s3cret-word")
    for words in (("GET", "other"), ("SET", "other", "1"), ("FLUSHALL",), ("CONFIG", "GET",
                  "*"), ("KEYS", "*"), ("DEL", "eddy:meta"), ("EVAL", "return 1", "0"),
                  ("SHUTDOWN",), ("ACL", "LIST")):
        try:
            eddy(*words)
            refused = False
        except RedisError as error:
            refused = "NOPERM" in str(error)
        check(refused, f"the user eddy may not {' '.join(words)}")

    # A wrong password is a clear line.
    wrong = scratch.run("check", "-c", group.file, "--set", "redis.password=wrong",
                        expect=None)
    check(wrong.code == 69 and "password" in (wrong.out + wrong.err).lower(),
          "check says that the password is wrong", wrong.out + wrong.err)


if __name__ == "__main__":
    main(acl)
