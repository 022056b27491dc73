"""Interactions for tests: real ones when they are on this machine, else generated.

Real ones are looked for in $EDDY_DATA, then in ../shared/data beside the checkout. They are
never copied into the repository.
"""

import glob
import os
import random
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _folder():
    for folder in (os.environ.get("EDDY_DATA"),
                   os.path.join(os.path.dirname(ROOT), "shared", "data")):
        if folder and os.path.isdir(folder):
            return folder
    return None


def _lines(path, count):
    """The first lines of a zstd-compressed text, without its heading."""
    with subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as zstd:
        next(zstd.stdout)
        for number, line in enumerate(zstd.stdout):
            if number == count:
                zstd.kill()
                return
            yield line.rstrip("\n")


def real(count):
    """(name, rows) of `count` real events in order of time, or None."""
    folder = _folder()
    if not folder:
        return None
    clicks = glob.glob(os.path.join(glob.escape(folder), "globo", "clicks*.csv.zst"))
    if clicks:
        rows = []
        for line in _lines(clicks[0], count):
            field = line.split(",")
            rows.append((f"u{field[0]}", f"a{field[4]}", int(field[5]), "click"))
        rows.sort(key=lambda row: row[2])
        return "Globo clicks", rows
    ratings = os.path.join(folder, "ml-1m", "ratings.csv.zst")
    if os.path.exists(ratings):
        rows = []
        for line in _lines(ratings, count):
            field = line.split(",")
            rows.append((f"u{field[0]}", f"m{field[1]}", int(field[3]) * 1000, "rating"))
        rows.sort(key=lambda row: row[2])
        return "MovieLens ratings", rows
    return None


def generated(count, users=None, items=500, seed=1, begin_ms=1_700_000_000_000):
    """Sessions of users with taste: each likes two genres, items of a genre follow each
    other in circles, a few users do most of the clicking. Sorted by time."""
    draw = random.Random(seed)
    users = users or max(10, count // 4)
    genres = max(2, items // 25)
    rows = []
    while len(rows) < count:
        user = int(users * draw.random() ** 2)
        taste = (user * 7919 % genres, user * 104729 % genres)
        at = begin_ms + draw.randrange(3 * 86400 * 1000)
        genre = draw.choice(taste)
        place = draw.randrange(25)
        for _ in range(1 + min(20, int(draw.expovariate(0.35)))):
            item = (genre * 25 + place) % items
            kind = "purchase" if draw.random() < 0.05 else "click"
            rows.append((f"u{user}", f"item-{item:04d}", at, kind))
            at += draw.randrange(2_000, 90_000)
            place = (place + draw.choice((1, 1, 1, 2, 5))) % 25
            if draw.random() < 0.1:
                genre = draw.choice(taste)
    rows = rows[:count]
    rows.sort(key=lambda row: row[2])
    return rows


def write_csv(path, rows, context=False):
    """Amazon's columns. TIMESTAMP with 13 digits is milliseconds. context: with columns DEVICE
    and HOUR, empty now and then."""
    with open(path, "w") as file:
        file.write("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE" + ",DEVICE,HOUR" * context + "\n")
        for user, item, at, kind in rows:
            device = ("phone", "tv", "", "desktop")[(at // 1000 + len(user)) % 4]
            more = f",{device},{at / 3600000 % 24:.2f}" if context else ""
            file.write(f"{user},{item},{at},{kind}{more}\n")
    return path
