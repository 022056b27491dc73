#!/usr/bin/env python3
"""What long work shows while it lasts: on a terminal (a pseudo one) a line that rewrites itself,
into a pipe plain lines once something lasts two seconds, with --quiet nothing."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading

import small_logs
import support
from support import SharedFolder

SMALL = ["--threads", 1, "--set", "hidden_dimension=32", "--set", "layers=1", "--set", "epochs=6",
         "--set", "patience=2", "--set", "allow_small=true", "--set", "validation_fraction=0.1"]
ERASE = "\r\x1b[K"


def on_terminal(*arguments, columns=100):
    """Exit code and what a terminal of that width got on standard error."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = support.start(*arguments, stdin=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    got = b""
    try:
        while chunk := os.read(ours, 65536):
            got += chunk
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    return process.wait(timeout=60), got.decode().replace("\r\n", "\n")


def drawn(text):
    """The lines that were drawn to be erased, in their order, each once."""
    lines = [part.split("\n")[-1] for part in text.split(ERASE)[1:]]
    return list(dict.fromkeys(line for line in lines if line))


def left_on_screen(text):
    """What stands there in the end."""
    return [line.split(ERASE)[-1] for line in text.split("\n")]


class Progress(SharedFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.log = small_logs.write(cls.path("log.csv"), small_logs.people(300))
        cls.model = cls.path("model")
        cls.code, cls.text = on_terminal("train", "-i", cls.log, "-o", cls.model, *SMALL)

    def test_a_terminal_is_told_of_every_part_of_a_training(self):
        self.assertEqual(self.code, 0, self.text)
        # "12 s" behind one depends on how long it lasts
        steps = [re.sub(r"  \d+ s$", "", line) for line in drawn(self.text)]
        parts = [line for line in steps if not line.startswith("training")]
        numbers = [int(found[1]) for line in parts
                   if (found := re.search(r"^tables: .* \((\d)/6\)$", line))]
        self.assertEqual(numbers, sorted(numbers))
        self.assertEqual(set(numbers), set(range(1, 7)))
        self.assertEqual(parts[:2], [f"reading {self.log}"[:99], "metadata and histories"])
        self.assertIn("tables: closed form, events before validation (3/6)", parts)
        self.assertEqual(parts[-1], f"writing {self.model}"[:99])

    def test_what_stays_on_the_terminal_is_a_line_per_epoch(self):
        lines = left_on_screen(self.text)
        epochs = [line for line in lines if line.startswith("epoch ")]
        self.assertEqual(lines[-1], "")
        self.assertLessEqual(len(lines) - 1 - len(epochs), 1, lines)  # OpenBLAS' kernels
        search = [line for line in epochs if "validation NDCG@10" in line]
        last = epochs[len(search):]
        self.assertGreaterEqual(len(search), 3)
        self.assertGreaterEqual(len(last), 1)
        for line in last:  # no validation of an epoch before
            self.assertIn("  last phase  ", line)

    def test_a_narrow_terminal_gets_lines_that_fit(self):
        code, text = on_terminal("train", "-i", self.log, "-o", self.path("narrow"), *SMALL,
                                 "--set", "epochs=2", columns=30)
        self.assertEqual(code, 0, text)
        self.assertLessEqual(max(map(len, drawn(text))), 29)
        self.assertTrue(any(line.startswith("tables: ") for line in drawn(text)))

    def test_counting_and_baselines_are_told_of(self):
        code, text = on_terminal("train", "-i", self.log, "-o", self.path("sims"), "--recipe",
                                 "aws-sims", "--set", "allow_small=true")
        self.assertEqual(code, 0, text)
        self.assertIn("counting", drawn(text))
        code, text = on_terminal("eval", "-m", self.model, "-i", self.log, "--protocol", "loo",
                                 "--baselines", "--resamples", 0)
        self.assertEqual(code, 0, text)
        fitted = [line for line in drawn(text) if line.startswith("fitting ")]
        for n, name in enumerate(("popularity", "recent-popularity", "markov", "rules",
                                  "neighbours", "closed-form"), 1):
            self.assertTrue(any(line.startswith(f"fitting {name} ({n}/6)") for line in fitted),
                            fitted)

    def test_quiet_says_nothing_on_a_terminal(self):
        code, text = on_terminal("train", "-q", "-i", self.log, "-o", self.path("quiet"), *SMALL,
                                 "--set", "epochs=1")
        self.assertEqual((code, text), (0, ""))

    def test_a_pipe_gets_plain_lines_of_what_lasts(self):
        """Standard input that keeps a training waiting until it has said so; beside it one that
        is quiet, and has been waiting for longer."""
        with open(self.log, "rb") as file:
            log = file.read()
        runs = []
        for name, more in (("silent", ["--quiet"]), ("loud", [])):
            runs.append(support.start("train", "-i", "-", "-o", self.path(name), *SMALL, *more,
                                      stdin=subprocess.PIPE, stderr=subprocess.PIPE))
        silent, loud = runs
        stop = threading.Timer(60, loud.kill)
        stop.start()
        first = b""
        while b"reading" not in first and (line := loud.stderr.readline()):
            first = line
        stop.cancel()
        self.assertRegex(first.decode(), r"^reading standard input  \d+ s\n$")
        _, rest = loud.communicate(log, timeout=100)
        self.assertEqual(loud.returncode, 0, rest)
        self.assertNotIn(b"\r", rest)
        self.assertNotIn(b"\x1b", rest)
        self.assertIn(b"epoch  1", rest)
        _, nothing = silent.communicate(log, timeout=100)
        self.assertEqual((silent.returncode, nothing), (0, b""))


if __name__ == "__main__":
    support.main()
