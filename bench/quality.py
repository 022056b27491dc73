#!/usr/bin/env python3
"""The quality table: what eddy reaches on public data beside what was published.

    bench/quality.sh [-d DATA] [-e EDDY] [-w WORK] [--rows A,B] [--seeds N] [--threads N]
                     [--set NAME=VALUE]... [--json FILE] [--list]

All rows with five seeds take hours: -w keeps what is done, and the same command goes on where
it was stopped (a seed counts as done only for the same program and settings).

DATA has one folder per data set (bench/README.md; default $EDDY_DATA, else ../shared/data);
a row whose folder is missing says so. bench/data.py turns the files into Amazon's CSV. Each
row trains with the defaults of `eddy train` on the part that may be seen (nothing is tuned
here; --set is for experiments), measures with `eddy eval`, writes lists with `eddy recommend`,
and measures those lists again with bench/score.py, which shares no code with eddy: figures
that differ by more than 0.0001 fail the row. Figures are means over the seeds, with the
standard deviation. CPU-s: of training, mean over the seeds, all threads.

Exit code: 0 when every row that could run reached its numbers, 1 when one did not.
"""
import argparse
import csv
import hashlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)


def fail(message):
    sys.exit("quality.py: " + message)


class Bench:
    """Where things are, and how programs are run."""

    def __init__(self, options):
        self.options = options
        self.data_made = {}

    def run(self, *command, **more):
        done = subprocess.run([str(part) for part in command], text=True,
                              stdout=subprocess.PIPE, **more)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: exit code {done.returncode}")
        return done.stdout

    def eddy(self, *command):
        return self.run(self.options.eddy, *command, "--threads", self.options.threads,
                        "--quiet")

    def python(self, script, *command):
        return self.run(sys.executable, os.path.join(HERE, script), *command)

    def data(self, name):
        """Folder of a prepared set; it is made at the first call."""
        folder = os.path.join(self.options.work, "data", name)
        if name not in self.data_made:
            if not os.path.isdir(folder):
                os.makedirs(folder + ".part", exist_ok=True)
                self.data_made[name] = self.python("data.py", name, self.options.data,
                                                   folder + ".part")
                os.rename(folder + ".part", folder)
            self.data_made.setdefault(name, "")
        return folder

    def kept(self, row, seed):
        """File of a seed's figures: named by the program and what it was asked for."""
        with open(self.options.eddy, "rb") as file:
            program = hashlib.sha256(file.read()).hexdigest()
        asked = json.dumps([program, self.options.set, row.name, seed, *row.asked()])
        name = hashlib.sha256(asked.encode()).hexdigest()[:16]
        return os.path.join(self.options.work, "done", f"{row.name}-{seed}-{name}.json")

    def recall(self, row, seed, result):
        try:
            with open(self.kept(row, seed), encoding="utf-8") as file:
                vars(result).update(json.load(file))
            return True
        except FileNotFoundError:
            return False

    def keep(self, row, seed, result):
        path = self.kept(row, seed)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".part", "w", encoding="utf-8") as file:
            json.dump(vars(result), file)
        os.rename(path + ".part", path)

    def train(self, model, seed, *arguments):
        """CPU seconds of training."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        settings = [part for text in self.options.set for part in ("--set", text)]
        # No checkpoint: one that another program left would be gone on from.
        self.eddy("train", "-o", model, "--seed", seed, "--checkpoint", -1, *arguments,
                  *settings)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def evaluate(self, model, *arguments):
        return json.loads(self.eddy("eval", "-m", model, "--resamples", 0, "--json",
                                    *arguments))


class Result:
    """Figures of one row over seeds, and what they have to reach."""

    def __init__(self):
        self.values = {}      # key -> [one per seed]
        self.floors = {}      # key -> number to reach, where a baseline decides it
        self.notes = []
        self.cpu = []
        self.worst = 0.0      # greatest difference between eval and score.py

    def join(self, other):
        for key, values in other.values.items():
            self.values.setdefault(key, []).extend(values)
        self.floors.update(other.floors)
        self.notes += other.notes
        self.cpu += other.cpu
        self.worst = max(self.worst, other.worst)

    def add(self, evaluation, scored, keys, as_listed=None):
        for key in keys:
            value = evaluation[key]["mean"]
            low, high = sorted((scored[key], (as_listed or scored)[key]))
            self.values.setdefault(key, []).append(value)
            self.worst = max(self.worst, low - value, value - high)


class Row:
    """A line of the table. Sub-classes say how a seed is trained, asked and listed."""

    data_set = source = protocol = None
    published = target = {}
    note = ""

    def keys(self):
        return list(self.target)

    def listed(self):
        """The keys that LISTS give."""
        return self.keys()

    def asked(self):
        """What a seed measures, where it is more than the name says."""
        return []

    def seed(self, bench, folder, model, seed, result):
        raise NotImplementedError

    def score(self, bench, *arguments):
        return json.loads(bench.python("score.py", *arguments))


class Once(Row):
    """One list per user: training on all.csv with --hold-out, lists from train.csv."""

    train_more, eval_more, recommend_more = (), (), ()
    history, answers = "train.csv", "test.csv"
    rounded = False  # LISTS show scores that differ as the same number

    def seed(self, bench, folder, model, seed, result):
        def path(name):
            return os.path.join(folder, name)
        more = [path(part[1:]) if part.startswith("@") else part for part in self.train_more]
        result.cpu.append(bench.train(model, seed, "-i", path("all.csv"), "--hold-out",
                                      self.protocol, *more))
        evaluation = bench.evaluate(model, "-i", path("all.csv"), "--protocol",
                                    self.protocol, *self.eval_more)
        lists = model + ".lists"
        bench.eddy("recommend", "-m", model, "-i", path(self.history), "-k", 26, "-o", lists,
                   *self.recommend_more)
        check = (["--history", path(self.history)]
                 if "--exclude-seen" in self.recommend_more else [])
        scored = [self.score(bench, "once", lists, path(self.answers), *check, *ties)
                  for ties in [(), ("--as-listed",)][:1 + self.rounded]]
        result.add(evaluation, scored[0], self.listed(), scored[-1])
        os.remove(lists)
        return evaluation


class Workshop(Once):
    name, data_set, source = "ml-1m-workshop", "ml-1m-workshop", "ml-1m"
    protocol = "aws-workshop"
    about = "MovieLens-1M, AWS workshop hold-out, 6,040 users, seen items kept"
    published = {"mrr@25": .277, "ndcg_workshop@10": .268, "precision@10": .097}
    target = {"mrr@25": .315, "ndcg_workshop@10": .298, "precision@10": .112}
    note = "published: Amazon Personalize, User-Personalization, in the workshop's notebooks"


class Ml1mLoo(Once):
    name, data_set, source = "ml-1m-loo", "ml-1m-loo", "ml-1m"
    protocol, recommend_more = "loo", ("--exclude-seen",)
    about = "MovieLens-1M, leave one out, official file"
    published = {"hr@10": .3159, "ndcg@10": .1857}
    target = {"hr@10": .335, "ndcg@10": .200}
    note = "published: SASRec with 3,000 negatives (HSTU-large .3294 / .1893, other ties)"


class Beauty(Ml1mLoo):
    name = data_set = "beauty"
    source = "amazon-beauty"
    about = "Amazon Beauty (S3-Rec file), leave one out"
    published = {"hr@10": .0928, "ndcg@10": .0531}
    target = {"hr@10": .095, "ndcg@10": .056}
    note = "published: eSASRec; SASRec with sampled softmax"


class Toys(Beauty):
    name = data_set = "toys"
    source = "amazon-toys"
    about = "Amazon Toys, leave one out"
    published = {"hr@10": .0970, "ndcg@10": .0580}
    target = {"hr@10": .099, "ndcg@10": .060}


class Successive(Row):
    name, data_set, source = "ml-1m-successive", "ml-1m-successive", "ml-1m"
    protocol = "successive"
    about = "MovieLens-1M, 90 % time split, every later event, seen items excluded"
    published = {"hr@10": .2062, "ndcg@10": .1121}
    target = {"hr@10": .215, "ndcg@10": .118}
    note = "published: SASRec, computed from the tables of the time-to-split study"

    def seed(self, bench, folder, model, seed, result):
        log = os.path.join(folder, "all.csv")
        result.cpu.append(bench.train(model, seed, "-i", log, "--hold-out", self.protocol))
        evaluation = bench.evaluate(model, "-i", log, "--protocol", self.protocol,
                                    "--exclude-seen")
        start = evaluation["from_ms"] // 1000
        lists = model + ".lists"
        bench.eddy("recommend", "-m", model, "-i", log, "-k", 26, "-o", lists,
                   "--every-event", "--stream", "--from", start, "--exclude-seen")
        scored = self.score(bench, "events", lists, log, "--from", start)
        result.add(evaluation, scored, self.keys())
        os.remove(lists)


class Sessions(Row):
    protocol = "sessions"
    against_baselines = False

    def seed(self, bench, folder, model, seed, result):
        train, test = (os.path.join(folder, name) for name in ("train.csv", "test.csv"))
        result.cpu.append(bench.train(model, seed, "-i", train))
        more = []
        if self.against_baselines and seed == 1:
            more = ["--baselines", "--train", train]
        evaluation = bench.evaluate(model, "-i", test, "--protocol", self.protocol, *more)
        for key in self.keys() if more else ():
            best = max(evaluation["compared"], key=lambda one: one[key]["mean"])
            result.floors[key] = 1.02 * best[key]["mean"]
            result.notes.append(f"{key}: best baseline {best['name']} "
                                f"{best[key]['mean']:.4f}, to reach 1.02 x that")
        lists = model + ".lists"
        bench.eddy("recommend", "-m", model, "-i", test, "-k", 26, "-o", lists,
                   "--every-event")
        scored = self.score(bench, "events", lists, test)
        result.add(evaluation, scored, self.keys())
        os.remove(lists)


class Yoochoose(Sessions):
    name = data_set = source = "yoochoose"
    about = "Yoochoose 1/64, sessions, every event after the first"
    published = {"hr@20": .7088, "mrr@20": .3083}
    target = {"hr@20": .715, "mrr@20": .316}
    note = "published: SLIST"


class NowPlaying(Sessions):
    name = data_set = source = "nowplaying"
    about = "NowPlaying file, sessions"
    target = {"hr@20": None, "mrr@20": None}
    against_baselines = True


class Tmall(NowPlaying):
    name = data_set = source = "tmall"
    about = "Tmall file, sessions"


class Globo(Row):
    name = data_set = source = "globo"
    protocol = "prequential"
    about = "Globo news, last three of 12 days as a stream, tables refreshed every 5 minutes"
    target = {"hr@20": None, "mrr@20": None}
    note = "floor: 1.03 x a live blend of Markov and last-hour popularity (bench/stream_floor)"

    def floor(self, bench, log, start, result):
        program = os.path.join(os.path.dirname(bench.options.eddy), "bench", "stream_floor")
        if not os.path.exists(program):
            raise RuntimeError(f"{program} is not built")
        best = {}
        for line in bench.run(program, log, start).splitlines():
            found = re.match(r"blend \S+ +HR@20 (\S+) +MRR@20 (\S+)", line)
            if found:
                best["hr@20"] = max(best.get("hr@20", 0), float(found[1]))
                best["mrr@20"] = max(best.get("mrr@20", 0), float(found[2]))
        for key, value in best.items():
            result.floors[key] = 1.03 * value
            result.notes.append(f"{key}: best blend {value:.4f}, to reach 1.03 x that")

    def seed(self, bench, folder, model, seed, result):
        log, train = (os.path.join(folder, name) for name in ("all.csv", "train.csv"))
        with open(train, encoding="utf-8") as file:
            next(file)
            last = max(int(line.split(",")[2]) for line in file)
        with open(log, encoding="utf-8") as file:
            next(file)
            start = min(time for time in (int(line.split(",")[2]) for line in file)
                        if time > last)
        if seed == 1:
            self.floor(bench, log, start, result)
        result.cpu.append(bench.train(model, seed, "-i", train))
        evaluation = bench.evaluate(model, "-i", log, "--protocol", self.protocol, "--from",
                                    start, "--refresh", 300)
        lists = model + ".lists"
        bench.eddy("recommend", "-m", model, "-i", log, "-k", 26, "-o", lists,
                   "--every-event", "--stream", "--refresh", 300, "--from", start)
        scored = self.score(bench, "events", lists, log, "--from", start / 1000)
        result.add(evaluation, scored, self.keys())
        os.remove(lists)


class Cold(Once):
    name, data_set, source = "ml-1m-cold", "ml-1m-cold", "ml-1m"
    protocol, recommend_more = "cold-items", ("--exclude-seen",)
    about = "MovieLens-1M, events on 1,853 items that training never saw, among all items"
    train_more, answers = ("-I", "@items.csv"), "cold.csv"
    target = {"recall@25": None, "warm ratio": .99}
    note = ("floor: 1.5 x the best reading of genre popularity (bench/genre_popularity.py); "
            "warm ratio: NDCG@10 on warm\n    items, leave one out, with the default ID "
            "dropout / without")

    def listed(self):
        return ["recall@25"]

    def warm_ratio(self, bench, folder, model, seed, result):
        ndcg = []
        log, items = (os.path.join(folder, name) for name in ("train.csv", "items.csv"))
        for more in ((), ("--set", "item_id_dropout=0")):
            result.cpu.append(bench.train(model, seed, "-i", log, "-I", items,
                                          "--hold-out", "loo", *more))
            ndcg.append(bench.evaluate(model, "-i", log, "--protocol",
                                       "loo")["ndcg@10"]["mean"])
        result.values["warm ratio"] = [ndcg[0] / ndcg[1] if ndcg[1] else 1.0]
        result.notes.append(f"seed {seed}: warm NDCG@10 {ndcg[0]:.4f}, without ID dropout "
                            f"{ndcg[1]:.4f}")

    def seed(self, bench, folder, model, seed, result):
        if seed == 1:
            table = bench.python("genre_popularity.py",
                                 *(os.path.join(folder, name)
                                   for name in ("train.csv", "cold.csv", "items.csv")))
            best = max((float(found[2]), found[1]) for found in
                       re.finditer(r"^(\S+) +(0?\.\d+)", table, re.M))
            result.floors["recall@25"] = 1.5 * best[0]
            result.notes.append(f"genre popularity ({best[1]}) {best[0]:.4f}, to reach "
                                "1.5 x that")
        self.warm_ratio(bench, folder, model, seed, result)
        super().seed(bench, folder, model, seed, result)


class Recipes(Once):
    """All recipes that make lists for users, on the workshop's split, beside Amazon's figures
    of the same hold-out. What has to hold: Amazon's best is the best, metadata do not cost
    the recurrent network anything, and popularity's coverage is its one list of 25."""
    name, data_set, source = "recipes", "ml-1m-workshop", "ml-1m"
    protocol = "aws-workshop"
    about = "the recipes on MovieLens-1M, AWS workshop hold-out, Amazon's order beside"
    shown = ("mrr@25", "ndcg_workshop@10", "precision@10")
    amazon = {"aws-user-personalization": (.277, .268, .097),
              "aws-hrnn-metadata": (.237, .230, .086),
              "aws-similar-items": (.217, .221, .069),
              "aws-hrnn": (.155, .173, .048),
              "aws-personalized-ranking": None, "aws-sims": None,
              "aws-popularity-count": None, "aws-trending-now": None}
    # GetSolutionMetrics of SIMS: 2020-08-30, 2020-09-07 and 2022-06-15 (twice).
    solution = {"mrr@25": (.1809, .1807, .1609, .1802),
                "ndcg_aws@10": (.1824, .1834, .1702, .1837),
                "precision@10": (.0533, .0533, .0519, .0533)}

    def asked(self):
        return [*self.amazon, *self.solution]

    def seed(self, bench, folder, model, seed, result):
        for recipe in self.amazon:
            self.train_more = ("--recipe", recipe) + (
                ("-I", "@items.csv") if recipe == "aws-hrnn-metadata" else ())
            # What SIMS adds for users whose last item has no neighbour weighs next to nothing.
            self.rounded = recipe == "aws-sims"
            one = Result()
            evaluation = super().seed(bench, folder, f"{model}-{recipe}", seed, one)
            for key in self.shown:
                result.values[f"{recipe} {key}"] = [evaluation[key]["mean"]]
            result.values[f"{recipe} coverage"] = [
                evaluation["coverage"]["of_training_items"]]
            result.cpu += one.cpu
            result.worst = max(result.worst, one.worst)
        with open(os.path.join(folder, "train.csv"), encoding="utf-8", newline="") as file:
            result.values["training items"] = [
                len({row["ITEM_ID"] for row in csv.DictReader(file)})]
        self.solution_metrics(bench, folder, model, seed, result)

    def solution_metrics(self, bench, folder, model, seed, result):
        """SIMS as Amazon measures it at the end of training: a tenth of the users, drawn
        from what the workshop gives to training."""
        log, model = os.path.join(folder, "train.csv"), f"{model}-solution-metrics"
        result.cpu.append(bench.train(model, seed, "-i", log, "--recipe", "aws-sims",
                                      "--hold-out", "solution-metrics"))
        evaluation = bench.evaluate(model, "-i", log, "--protocol", "solution-metrics")
        for key in self.solution:
            result.values[f"aws-sims solution-metrics {key}"] = [evaluation[key]["mean"]]

    def keys(self):
        return list(self.shown)

    def report(self, result):
        means = {key: statistics.mean(values) for key, values in result.values.items()}
        ndcg = {recipe: means[f"{recipe} {self.shown[1]}"] for recipe in self.amazon}
        print(f"{self.name:17} {self.about}")
        print("    %-26s %s%10s" % ("", "".join(f"{key:>18}" for key in self.shown),
                                    "coverage"))
        for recipe in by_value(ndcg):
            print("    %-26s %s%10.4f   Amazon: %s" % (
                recipe, "".join(f"{means[f'{recipe} {key}']:18.4f}" for key in self.shown),
                means[f"{recipe} coverage"],
                " ".join(map("{:.3f}".format, self.amazon[recipe] or ())) or "-"))
        print("    aws-sims, solution metrics: " + ", ".join(
            "%s %.4f (Amazon %.4f to %.4f)" % (
                key, means[f"aws-sims solution-metrics {key}"], min(theirs), max(theirs))
            for key, theirs in self.solution.items()))
        self.report_order(ndcg)
        return all([self.holds(what, yes) for what, yes in self.claims(result, means, ndcg)])

    def report_order(self, ndcg):
        """Where the order of the recipes that Amazon's table has is another one here."""
        theirs = [recipe for recipe, figures in self.amazon.items() if figures]
        ours = [recipe for recipe in by_value(ndcg) if recipe in theirs]
        print("    order:    " + " > ".join(ours))
        print("    Amazon's: " + " > ".join(theirs))
        turned = [f"{one} before {other}" for at, one in enumerate(ours)
                  for other in ours[at + 1:] if theirs.index(one) > theirs.index(other)]
        print("    " + ("differs: " + ", ".join(turned) if turned else "the same order"))

    def claims(self, result, means, ndcg):
        items, coverage = means["training items"], means["aws-popularity-count coverage"]
        return [
            ("aws-user-personalization is the best",
             ndcg["aws-user-personalization"] >= max(ndcg.values())),
            ("aws-hrnn-metadata is not below aws-hrnn",
             ndcg["aws-hrnn-metadata"] >= ndcg["aws-hrnn"]),
            (f"popularity covers {coverage:.6f}: 25 of {items:.0f} training items",
             abs(coverage - 25 / items) < 1e-6),
            (f"score.py says the same (difference {result.worst:.6f})", result.worst <= 1e-4)]

    @staticmethod
    def holds(what, yes):
        print(f"    {'yes' if yes else 'NO '}  {what}")
        return yes


class Clicks(Row):
    """Lists that follow three clicks in another genre, as in the workshop's notebooks on
    real-time recommendations; there one user each (PutEvents, ten seconds, GetRecommendations)."""
    name, data_set, source = "clicks", "ml-1m-workshop", "ml-1m"
    about = "films of the clicked genre in 25 after 0 to 3 clicks, and what is left of the list"
    amazon = {"documentary": ((0, 10, 16, 22), 0), "animation-action": ((1, 0, 3, 17), 4),
              "comedy-action": ((5, 8, 12, 18), 5)}
    genre_least, left_most = 16, 5

    def asked(self):
        return [self.genre_least, self.left_most]

    def seed(self, bench, folder, model, seed, result):
        files = [os.path.join(folder, name) for name in ("train.csv", "items.csv")]
        histories, lists = model + ".histories", model + ".lists"
        result.cpu.append(bench.train(model, seed, "-i", files[0], "-I", files[1]))
        bench.python("clicks.py", "histories", *files, histories)
        bench.eddy("recommend", "-m", model, "-i", histories, "-k", 25, "-o", lists)
        found = self.score_clicks(bench, lists, *files)
        for case, one in found.items():
            for count, value in enumerate(one["of_genre"]):
                result.values[f"{case} {count}"] = [value]
            result.values[f"{case} left"] = [one["left"][-1]]
        os.remove(histories)
        os.remove(lists)

    @staticmethod
    def score_clicks(bench, *files):
        return json.loads(bench.python("clicks.py", "score", *files))

    def report(self, result):
        means = {key: statistics.mean(values) for key, values in result.values.items()}
        print(f"{self.name:17} {self.about}")
        reached = True
        for case, (genre, left) in self.amazon.items():
            met = (means[f"{case} 3"] >= self.genre_least
                   and means[f"{case} left"] <= self.left_most)
            reached = reached and met
            print("    %-3s  %-17s %s, left %.1f   Amazon (one user): %s, left %d" % (
                "yes" if met else "NO", case,
                " -> ".join("%.1f" % means[f"{case} {count}"] for count in range(4)),
                means[f"{case} left"], " -> ".join(map(str, genre)), left))
        print(f"    means of 100 users each; to reach: {self.genre_least} after three clicks, "
              f"at most {self.left_most} left; {statistics.mean(result.cpu):.0f} CPU-s")
        return reached


def by_value(values):
    """Keys, the greatest value first."""
    return sorted(values, key=values.get, reverse=True)


ROWS = [Workshop(), Ml1mLoo(), Successive(), Beauty(), Toys(), Yoochoose(), NowPlaying(),
        Tmall(), Globo(), Cold(), Recipes(), Clicks()]


def missing_data(bench, row):
    folder = os.path.join(bench.options.data, row.source)
    prepared = os.path.join(bench.options.work, "data", row.data_set)
    return None if os.path.isdir(folder) or os.path.isdir(prepared) else folder


def measure(bench, row):
    result = Result()
    folder = bench.data(row.data_set)
    for seed in range(1, bench.options.seeds + 1):
        model = os.path.join(bench.options.work, f"{row.name}-{seed}")
        print(f"... {row.name}, seed {seed} of {bench.options.seeds}", file=sys.stderr)
        one = Result()
        if not bench.recall(row, seed, one):
            row.seed(bench, folder, model, seed, one)
            bench.keep(row, seed, one)
        result.join(one)
    return result


def number(value):
    return "-" if value is None else f"{value:.4f}"


def report(row, result):
    """Print the row's lines; True when it reached its numbers."""
    reached = result.worst <= 1e-4
    for at, key in enumerate(row.keys()):
        values = result.values[key]
        mean = statistics.mean(values)
        spread = statistics.stdev(values) if len(values) > 1 else 0
        target = result.floors.get(key, row.target[key])
        met = target is not None and mean >= target
        reached = reached and met
        print("%-17s %-17s %5d  %.4f ± %.4f  %9s  %8s  %-4s %9.0f" % (
            row.name if at == 0 else "", key, len(values), mean, spread,
            number(row.published.get(key)), number(target), "yes" if met else "NO",
            statistics.mean(result.cpu)))
    print(f"    {row.about}; eval --protocol {row.protocol}")
    for note in ([row.note] if row.note else []) + result.notes:
        print("    " + note)
    print("    from LISTS by score.py: " + (
        "the same to 4 digits" if result.worst <= 1e-4
        else f"DIFFERS by up to {result.worst:.6f}"))
    return reached


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = re.findall(r"^model name\s*: (.*)$", file.read(), re.M)
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()
    return f"{names[0] if names else 'unknown CPU'}, {len(names)} CPUs; commit {commit or '?'}"


def arguments():
    parser = argparse.ArgumentParser(prog="bench/quality.sh", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    default = os.environ.get("EDDY_DATA", os.path.join(ROOT, "..", "shared", "data"))
    parser.add_argument("-d", "--data", default=default)
    parser.add_argument("-e", "--eddy", default=os.path.join(ROOT, "build/release/eddy"))
    parser.add_argument("-w", "--work", help="kept and used again; default: a folder that is "
                                             "removed at the end")
    parser.add_argument("--rows", help="names, separated by commas; default: all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--list", action="store_true", help="the rows and what they are")
    return parser.parse_args()


def run(bench, rows):
    reached, collected = True, {}
    print("machine: " + machine())
    print("%-17s %-17s %5s  %-15s  %9s  %8s  %-4s %9s" % (
        "row", "measure", "seeds", "mean ± sd", "published", "to reach", "met", "CPU-s"))
    for row in rows:
        folder = missing_data(bench, row)
        if folder:
            print(f"{row.name:17} not measured: no folder {folder} (-d DATA)")
            continue
        try:
            result = measure(bench, row)
        except RuntimeError as error:
            reached = False
            print(f"{row.name:17} failed: {error}")
            continue
        met = row.report(result) if hasattr(row, "report") else report(row, result)
        reached = reached and met
        collected[row.name] = {"values": result.values, "floors": result.floors,
                               "cpu_seconds": result.cpu, "lists_differ_by": result.worst}
        sys.stdout.flush()
    if bench.options.json:
        with open(bench.options.json, "w", encoding="utf-8") as file:
            json.dump(collected, file, indent=1)
    return reached


def main():
    options = arguments()
    names = options.rows.split(",") if options.rows else [row.name for row in ROWS]
    rows = [row for row in ROWS if row.name in names]
    unknown = set(names) - {row.name for row in ROWS}
    if options.list:
        for row in ROWS:
            print(f"{row.name:17} {row.about}")
        return
    if unknown:
        fail(f"no row {', '.join(sorted(unknown))}; there are "
             f"{', '.join(row.name for row in ROWS)}")
    if options.seeds < 1:
        fail("--seeds is at least 1")
    if not os.access(options.eddy, os.X_OK):
        fail(f"no program {options.eddy}: build the preset release, or give -e")
    with tempfile.TemporaryDirectory() as temporary:
        options.work = options.work or temporary
        sys.exit(0 if run(Bench(options), rows) else 1)


if __name__ == "__main__":
    main()
