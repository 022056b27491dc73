"""Logs for the tests of the command line: people with a taste, robots, guests. Seeded."""

import random

BEGIN = 1_700_000_000
GENRES, ITEMS = 5, 12  # 60 items; in a genre one follows the other


def person(draw, user, least=8, most=16):
    """Rows (time, user, item): steps through one genre, sometimes elsewhere in it."""
    at = BEGIN + draw.random() * 20 * 86400
    genre, item = draw.randrange(GENRES), draw.randrange(ITEMS)
    rows = []
    for _ in range(draw.randint(least, most)):
        item = draw.randrange(ITEMS) if draw.random() < .15 else (item + 1) % ITEMS
        rows.append((at, user, genre * ITEMS + item))
        at += 1 + draw.expovariate(1 / 200)
    return rows


def robot(draw, user, count=2500):
    """Every 45 seconds a step backwards through a genre, every tenth into another."""
    at, item, rows = BEGIN + draw.random() * 10 * 86400, 0, []
    for step in range(count):
        genre, place = divmod(item, ITEMS)
        item = (genre * ITEMS + (place - 1) % ITEMS if step % 10
                else draw.randrange(GENRES * ITEMS))
        rows.append((at + 45 * step, user, item))
    return rows


def people(count, seed=1, **kind):
    draw = random.Random(seed)
    return [person(draw, f"u{u}", **kind) for u in range(count)]


def write(path, *histories):
    """All rows of lists of histories, in order of time."""
    rows = sorted(row for some in histories for history in some for row in history)
    with open(path, "w") as file:
        file.write("USER_ID,ITEM_ID,TIMESTAMP\n")
        for at, user, item in rows:
            file.write(f"{user},i{item},{int(at)}\n")
    return path
