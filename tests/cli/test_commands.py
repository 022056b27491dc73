#!/usr/bin/env python3
"""The command line of every sub-command: help, bad arguments, exit codes, configuration
errors, and files played without Kafka. Needs no server."""

import json
import re
import unittest

import support
from support import Folder, eddy


def commands():
    code, out, _ = eddy("--help")
    assert code == 0
    return re.findall(r"^  ([a-z]+) {2,}\S", out.split("Examples:")[0], re.MULTILINE)


class Help(unittest.TestCase):
    def test_eddy_help_teaches(self):
        code, out, err = eddy("--help")
        self.assertEqual((code, err), (0, ""))
        for word in ("train", "run", "load", "check", "inspect", "Examples:", "Exit codes"):
            self.assertIn(word, out)
        self.assertEqual(out, eddy("help")[1])

    def test_help_of_every_command_is_complete(self):
        names = commands()
        self.assertGreaterEqual(len(names), 10)
        for name in names:
            if name == "help":
                continue
            with self.subTest(command=name):
                code, out, err = eddy(name, "--help")
                self.assertEqual((code, err), (0, ""))
                self.assertIn(f"usage: eddy {name}", out)
                self.assertIn("Examples:", out)
                self.assertRegex(out, r"-h, --help")
                self.assertEqual(out, eddy("help", name)[1])
                self.assertLess(max(map(len, out.splitlines())), 100)

    def test_an_option_of_several_commands_is_explained_in_one_way(self):
        texts = {}
        for name in set(commands()) - {"help"}:
            rows = re.split(r"\n(?=  (?:-\w, |    )--)", eddy(name, "--help").out)
            for row in rows[1:]:
                option, text = re.match(r" +(?:-\w, )?--([\w-]+)(.*)", row, re.DOTALL).groups()
                texts.setdefault(option, {})[name] = " ".join(text.split("\n\n")[0].split())
        for option, but in (("quiet", ()), ("skip-bad", ()), ("threads", ("tune",)),
                            ("json", ("stats", "recipes", "dlq", "run"))):
            same = {text for name, text in texts[option].items() if name not in but}
            self.assertEqual(len(same), 1, texts[option])
            self.assertGreaterEqual(len(texts[option]), 4)

    def test_version_names_the_libraries(self):
        code, out, _ = eddy("--version")
        self.assertEqual(code, 0)
        for library in ("eddy", "librdkafka", "hiredis", "OpenBLAS", "libuv"):
            self.assertRegex(out, rf"(?m)^{library} \S")


class Usage(unittest.TestCase):
    def test_nothing_and_nonsense_exit_64(self):
        self.assertEqual(eddy()[0], 64)
        code, out, err = eddy("inspekt")
        self.assertEqual((code, out), (64, ""))
        self.assertIn("did you mean inspect?", err)
        self.assertEqual(eddy("help", "nonsense")[0], 64)

    def test_every_command_refuses_an_unknown_option(self):
        for name in commands():
            if name == "help":
                continue
            with self.subTest(command=name):
                code, out, err = eddy(name, "--no-such-option-at-all")
                self.assertEqual((code, out), (64, ""))
                self.assertIn(f"eddy {name}: unknown option --no-such-option-at-all", err)
                self.assertIn("--help", err)

    def test_errors_say_what_to_type(self):
        cases = [
            (("load",), "--input (-i) EVENTS is missing"),
            (("load", "-i"), "needs a value"),
            (("load", "-i", "x", "--rate", "fast"), '"fast" is not a number'),
            (("load", "-i", "x", "--format", "xml"), "one of auto|csv|jsonl|canonical"),
            (("load", "-i", "x", "--lmit", "3"), "did you mean --limit?"),
            (("load", "-i", "-", "--now", "--dry-run"), "give a file, not -"),
            (("inspect", "usr", "u"), "did you mean user?"),
            (("inspect", "user"), "write: eddy inspect user USER"),
            (("inspect", "offset", "3"), "write: eddy inspect offset"),
            (("inspect", "event", "3"), "PARTITION:OFFSET"),
            (("dlq", "empty"), "eddy dlq list"),
            (("bench", "everything"), "there are: path, train"),
            (("deploy", "-c", "x"), "--model (-m) MODEL is missing"),
            (("run", "--set", "nonsense"), "write NAME=VALUE"),
            (("check", "extra"), 'unexpected argument "extra"'),
        ]
        for arguments, sentence in cases:
            with self.subTest(arguments=arguments):
                code, _, err = eddy(*arguments)
                self.assertEqual(code, 64, err)
                self.assertIn(sentence, err)


class Configuration(Folder):
    def write(self, text, name="eddy.yaml"):
        path = self.path(name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def test_mistakes_name_file_line_key_and_exit_78(self):
        cases = [
            ("redis:\n  adress: x\n", 2, "redis.adress", "did you mean redis.address"),
            ("\nworker:\n  threads: 0\n", 3, "worker.threads", "1 to 64"),
            ("worker:\n  threads: two\n", 2, "worker.threads", "two"),
            ("log:\n  level: loud\n", 2, "log.level", "error, warn, info or debug"),
            ("group: a\ngroup: b\n", 2, "group", ""),
        ]
        for text, line, key, allowed in cases:
            with self.subTest(text=text):
                path = self.write(text)
                for command in ("run", "check"):
                    code, out, err = eddy(command, "-c", path)
                    self.assertEqual(code, 78, err)
                    self.assertIn(f"{path}:{line}", out + err)
                    self.assertIn(key, out + err)
                    self.assertIn(allowed, out + err)
        self.assertEqual(eddy("run", "-c", self.write("a: [\n"))[0], 78)
        self.assertEqual(eddy("run", "-c", self.path("none.yaml"))[0], 78)

    def test_environment_and_command_line_mistakes_exit_78(self):
        code, _, err = eddy("run", more_environment={"EDDY_WORKER_THREADS": "many"})
        self.assertEqual(code, 78)
        self.assertIn("EDDY_WORKER_THREADS", err)
        code, _, err = eddy("run", "--set", "worker.threads=65")
        self.assertEqual(code, 78)
        self.assertIn("--set", err)
        self.assertEqual(eddy("run", "--role", "cook")[0], 78)

    def test_each_value_has_its_source_and_the_highest_wins(self):
        path = self.write("group: shop\nworker:\n  threads: 2\n  batch: 100\nlist:\n"
                          "  size: 10\nkafka:\n  fetch.wait.max.ms: 20\n")
        code, out, err = eddy(
            "run", "-c", path, "--print-config", "--json", "--set", "list.size=30",
            "--listen", ":9999", "--role", "worker",
            more_environment={"EDDY_LIST_SIZE": "20", "EDDY_WORKER_BATCH": "200",
                         "EDDY_REDIS_PASSWORD": "do-not-print"})
        self.assertEqual(code, 0, err)
        self.assertNotIn("do-not-print", out)
        options = json.loads(out)
        wanted = {"group": ("shop", "file"), "worker.threads": (2, "file"),
                  "worker.batch": (200, "environment"), "list.size": (30, "command line"),
                  "http.listen": (":9999", "command line"),
                  "roles": ("worker", "command line"), "kafka.events": ("shop.events", ""),
                  "log.level": ("info", "default")}
        for name, (value, source) in wanted.items():
            self.assertEqual(str(options[name]["value"]), str(value), name)
            self.assertIn(source, json.dumps(options[name]), name)
        text = eddy("run", "-c", path, "--print-config")[1]
        self.assertIn("fetch.wait.max.ms", text)
        self.assertIn(f"{path}:3", text)

    def test_printed_configuration_is_a_configuration(self):
        path = self.write("group: shop\nlist:\n  size: 7\nlog:\n  format: json\n")
        first = eddy("run", "-c", path, "--print-config", "--json")[1]
        printed = self.write(eddy("run", "-c", path, "--print-config")[1], "printed.yaml")
        second = eddy("run", "-c", printed, "--print-config", "--json")[1]
        values = [{k: v["value"] for k, v in json.loads(text).items()}
                  for text in (first, second)]
        self.assertEqual(*values)

    def test_the_example_is_a_configuration_with_defaults(self):
        path = self.write(eddy("run", "--print-example")[1])
        code, out, err = eddy("run", "-c", path, "--print-config", "--json")
        self.assertEqual(code, 0, err)
        defaults = json.loads(eddy("run", "--print-config", "--json")[1])
        self.assertEqual({k: v["value"] for k, v in json.loads(out).items()},
                         {k: v["value"] for k, v in defaults.items()})

    def test_servers_away_exit_69_with_a_sentence(self):
        nowhere = ("--set", "kafka.brokers=127.0.0.1:1", "--set", "redis.address=127.0.0.1:1")
        code, out, err = eddy("check", "--timeout", "1", *nowhere)
        self.assertEqual(code, 69, err)
        self.assertRegex(out, r"FAILED +kafka .*127\.0\.0\.1:1")
        self.assertRegex(out, r"FAILED +redis .*127\.0\.0\.1:1")
        lines = json.loads(eddy("check", "--timeout", "1", "--json", *nowhere)[1])
        self.assertEqual([line["result"] for line in lines], ["ok", "FAILED", "FAILED"])
        for command in (("inspect", "user", "u"), ("inspect", "outbox"),
                        ("replay", "--live")):
            code, _, err = eddy(*command, *nowhere)
            self.assertEqual(code, 69, (command, err))
            self.assertIn("127.0.0.1:1", err)


class Files(Folder):
    ROWS = ("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n"
            "u1,i1,1600000300,click\nu2,i2,1600000100,\nu1,i3,oops,click\n"
            "u3,i1,2020-09-13T12:26:40Z,\n")

    def setUp(self):
        super().setUp()
        self.log = self.path("events.csv")
        with open(self.log, "w") as file:
            file.write(self.ROWS)

    def test_a_bad_row_ends_a_load_with_its_place(self):
        code, out, err = eddy("load", "-i", self.log, "--dry-run")
        self.assertEqual(code, 65)
        self.assertIn(f'{self.log}:4: column TIMESTAMP: "oops"', err)
        self.assertIn("--skip-bad", err)
        self.assertIn("nothing was sent", out)

    def test_dry_run_counts_from_file_and_pipe_alike(self):
        for source, input in ((self.log, None), ("-", self.ROWS)):
            code, out, err = eddy("load", "-i", source, "--dry-run", "--skip-bad", "--json",
                                  input=input)
            self.assertEqual(code, 0, err)
            result = json.loads(out)
            self.assertEqual((result["sent"], result["bad"], result["dry_run"]), (3, 1, True))
            self.assertEqual((result["oldest_ts"], result["newest_ts"]),
                             (1600000000000, 1600000300000))

    def test_limit_and_skip_rows_cut_in_the_order_played(self):
        code, out, err = eddy("load", "-i", self.log, "--dry-run", "--skip-bad", "--json",
                              "--by-time", "--skip-rows", "1", "--limit", "1")
        self.assertEqual(code, 0, err)
        result = json.loads(out)
        self.assertEqual(result["sent"], 1)
        self.assertEqual(result["newest_ts"], 1600000100000)

    def test_input_that_is_not_there_exits_74(self):
        code, _, err = eddy("load", "-i", self.path("none.csv"), "--dry-run")
        self.assertEqual(code, 74)
        self.assertIn("none.csv", err)

    def test_kafka_away_is_said_before_anything_is_sent(self):
        code, _, err = eddy("load", "-i", self.log, "--set", "kafka.brokers=127.0.0.1:1",
                            "--skip-bad")
        self.assertEqual(code, 69)
        self.assertIn("127.0.0.1:1", err)

    def test_a_damaged_snapshot_is_refused(self):
        code, _, err = eddy("inspect", "model", self.path("no-model"))
        self.assertEqual(code, 74)
        self.assertIn("no-model", err)
        for name in ("manifest.json", "model.safetensors", "catalog.csv"):
            with open(self.path(name), "w") as file:
                file.write("{}")
        code, _, err = eddy("inspect", "model", self.folder)
        self.assertEqual(code, 65, err)
        code, _, err = eddy("deploy", "-m", self.folder)
        self.assertEqual(code, 65, err)


class Bench(unittest.TestCase):
    def test_bench_path_reports_every_stage(self):
        code, out, err = eddy("bench", "path", "--items", 200, "--hidden", 32, "--users", 50,
                              "--events", 500, "--json", "--quiet")
        self.assertEqual(code, 0, err)
        report = json.loads(out)
        self.assertEqual([stage["stage"] for stage in report["stages"]],
                         ["decode", "load", "apply", "score", "list", "commit", "publish",
                          "push, service"])
        self.assertEqual(report["events"], 500)
        self.assertGreater(report["lists"], 0)
        self.assertGreater(report["kernel_blas_agreement"], 0.99)

    def test_bench_train_reports_an_epoch_beside_sgemm(self):
        arguments = ("bench", "train", "--users", 100, "--items", 300, "--events", 3000,
                     "--set", "hidden_dimension=32", "--set", "layers=1", "--threads", 1)
        report = json.loads(support.succeed(*arguments, "--json", "--quiet"))
        self.assertEqual([report[name] for name in ("users", "log_events", "hidden", "layers",
                                                    "threads", "epochs")],
                         [100, 3000, 32, 1, 1, 2])
        self.assertLessEqual(report["items"], 300)
        self.assertGreater(report["items"], 200)
        self.assertEqual(report["events_per_epoch"], 2900)  # all but each user's first
        # Forward, twice backward: 6 FLOP per weight, of the products with the catalogue alone.
        self.assertGreater(report["gflop_per_epoch"], 6e-9 * 2900 * 32 * report["items"])
        self.assertAlmostEqual(report["share_of_sgemm"],
                               report["gflops"] / report["sgemm_gflops"], places=3)
        self.assertGreater(report["resident_peak"], report["resident_begin"])
        again = json.loads(support.succeed(*arguments, "--json", "--quiet"))
        self.assertEqual(again["loss"], report["loss"])
        out = support.succeed(*arguments)
        self.assertRegex(out, r"GFLOP/s per core, \d+ % of cblas_sgemm's")

    def test_bench_train_refuses_what_cannot_be(self):
        for words, why in ((("--events", 2000, "--users", 1000), "three per user at least"),
                           (("--set", "cell=lstm"), "mingru"),
                           (("--hiden", 3), "unknown option")):
            code, out, err = eddy("bench", "train", *words)
            self.assertEqual((code, out), (64, ""), err)
            self.assertIn(why, err)
        self.assertIn("write the name first", eddy("bench", "--items", 50, "train").err)


if __name__ == "__main__":
    support.main()
