#!/usr/bin/env python3
"""New items of which only a Korean title is known, from CSV to lists: the titles alone decide
which of them a user's list holds first. The world: films of five themes, whose names stand in the
titles with particles and endings behind them, as Korean words do; users watch one theme."""

import random

import support
from support import SharedFolder, succeed

THEMES = ("전쟁", "사랑", "우주", "요리", "축구")  # war, love, space, cooking, football
# What hangs on a theme's name in old titles, and in new ones: they have no word in common and
# no beginning, only the name inside.
OLD = ("{}의 시간", "{}은 끝났다", "어느 날의 {}이야기", "{}에서 돌아온 사람", "{}과 나", "긴 {}")
NEW = ("신{}까지", "새로운 대{}처럼", "첫{}만이", "그들의 옛{}으로", "참{}조차 없이")
OTHER = ("푸른", "마지막", "작은", "겨울", "서울", "바다", "비밀", "아침")
PER_THEME, NEW_PER_THEME, USERS = 16, 10, 300
ITEMS = len(THEMES) * (PER_THEME + NEW_PER_THEME)


def make_world(path, themes_told=True):
    """Files, and the theme of every item and user. Without telling a new title has other words
    in a theme's place."""
    draw = random.Random(8)
    pick = lambda choices: choices[int(draw.random() * len(choices))]
    theme, items = {}, [("ITEM_ID", "TITLE")]
    for n, name in enumerate(THEMES):
        for i in range(PER_THEME):
            item = f"i{5 * i + n}"
            theme[item] = name
            items.append((item, f"{pick(OTHER)} {pick(OLD).format(name)} {i}"))
        for i in range(NEW_PER_THEME):
            item = f"new{5 * i + n}"
            theme[item] = name
            told = name if themes_told else pick(("하늘", "구름", "노래"))
            items.append((item, f"{pick(OTHER)} {pick(NEW).format(told)} {100 + i}"))
    head, *rest = items
    draw.shuffle(rest)  # no place in the file says anything
    support.write_csv(path("items.csv"), [head] + rest)
    events, now = [("USER_ID", "ITEM_ID", "TIMESTAMP")], 1_600_000_000
    old = {name: [item for item in theme if item[0] == "i" and theme[item] == name]
           for name in THEMES}
    for u in range(USERS):
        name = THEMES[u % 5]
        theme[f"u{u}"] = name
        for _ in range(8 + int(draw.random() * 6)):
            now += 90
            other = draw.random() < 0.1
            events.append((f"u{u}", pick(old[pick(THEMES) if other else name]), now))
    support.write_csv(path("events.csv"), events)
    return theme


class KoreanTitles(SharedFolder):
    def lists_of(self, recipe, k, **world):
        """Per user his theme's share of the first five new items of his list, and the list."""
        theme = make_world(self.path, **world)
        model = self.path("model")
        succeed("train", "-q", "-i", self.path("events.csv"), "-I", self.path("items.csv"), "-o",
                model, "--threads", 1, "--recipe", recipe, "--set",
                "hidden_dimension=32", "--set", "epochs=15", "--set", "learning_rate=0.003")
        out = succeed("recommend", "-q", "-m", model, "-i", self.path("events.csv"), "-k", k,
                      "--exclude-seen", "--threads", 1, "-o", "-")
        lists = support.items(out)
        self.assertEqual(len(lists), USERS)
        share = {}
        for user, items in lists.items():
            new = [item for item in items if item.startswith("new")][:5]
            if new:
                share[user] = sum(theme[item] == theme[user] for item in new) / len(new)
        return share, lists

    def test_a_list_of_new_items_begins_with_those_of_the_users_theme(self):
        share, lists = self.lists_of("aws-hrnn-coldstart", 10)
        self.assertEqual(len(share), USERS)
        self.assertTrue(all(item.startswith("new") for items in lists.values() for item in items))
        self.assertGreater(sum(share.values()) / USERS, 0.65)

    def test_among_all_items_the_new_ones_of_the_users_theme_come_first(self):
        share, _ = self.lists_of("aws-user-personalization", ITEMS)
        self.assertEqual(len(share), USERS)
        self.assertGreater(sum(share.values()) / USERS, 0.65)

    def test_titles_that_do_not_tell_the_theme_order_nothing(self):
        """So it is the titles, and nothing else that the world lets through."""
        share, _ = self.lists_of("aws-hrnn-coldstart", 10, themes_told=False)
        self.assertLess(sum(share.values()) / USERS, 0.4)  # one theme of five


if __name__ == "__main__":
    support.main()
