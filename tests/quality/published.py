"""What the tests of quality have in common: where the data is, and when they run."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "cli"))

import support  # noqa: E402: found by the line above


def data_folder():
    return os.environ.get("EDDY_DATA") or os.path.join(ROOT, "..", "shared", "data")


def main(folder):
    """The tests, in the long programme and where this folder of the data is."""
    if os.environ.get("EDDY_LONG") != "1":
        print("only in the long programme: EDDY_LONG=1, or tests/run.sh --long")
        sys.exit(77)
    if not os.path.isdir(os.path.join(data_folder(), folder)):
        print("no data: %s/%s is not there; EDDY_DATA names the folder" % (data_folder(), folder))
        sys.exit(77)
    support.main()
