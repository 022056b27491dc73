/* The ring of what was shown and not chosen. */
#include "core/shown.h"

#include "check.h"

/* A list of one-letter items; chosen 0: nothing. */
static void show(struct eddy_shown_ring *ring, uint32_t ts_s, const char *items,
                 char chosen)
{
    uint64_t hashes[64], taken = (unsigned char)chosen;
    uint32_t count = 0;
    for (; items[count]; count++)
        hashes[count] = (unsigned char)items[count];
    if (chosen)
        eddy_shown_choose(ring, taken);
    eddy_shown_note(ring, hashes, count, chosen ? &taken : NULL, ts_s);
}

/* Items, times and ages as text: "a1:1 b2:0". */
static const char *text_of(const struct eddy_shown_ring *ring)
{
    static char text[16 * EDDY_SHOWN_MAX + 1];
    uint32_t ages[EDDY_SHOWN_MAX];
    size_t at = 0;
    text[0] = 0;
    eddy_shown_ages(ring, ages);
    for (uint32_t i = 0; i < ring->count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%c%u:%u", i ? " " : "",
                               (char)ring->entries[i].item_hash, ring->entries[i].times,
                               ages[i]);
    return text;
}

static void an_item_shown_again_becomes_the_newest(void)
{
    struct eddy_shown_ring ring = {0};
    show(&ring, 10, "abc", 0);
    CHECK_STR(text_of(&ring), "a1:0 b1:0 c1:0");
    show(&ring, 20, "db", 0);
    CHECK_STR(text_of(&ring), "a1:1 c1:1 d1:0 b2:0");
    show(&ring, 30, "", 0);
    CHECK_STR(text_of(&ring), "a1:1 c1:1 d1:0 b2:0");
    show(&ring, 30, "ee", 0);
    CHECK_STR(text_of(&ring), "a1:2 c1:2 d1:1 b2:1 e1:0");
    show(&ring, 5, "b", 0); /* late: its newest time stands */
    CHECK_STR(text_of(&ring), "a1:3 c1:3 d1:2 e1:1 b3:0");
    CHECK_INT(ring.entries[4].ts_s, 20);
}

static void what_is_chosen_is_forgotten_until_it_is_shown_again(void)
{
    struct eddy_shown_ring ring = {0};
    show(&ring, 10, "abc", 'b');
    CHECK_STR(text_of(&ring), "a1:0 c1:0");
    show(&ring, 20, "abc", 'a');
    CHECK_STR(text_of(&ring), "b1:0 c2:0");
    eddy_shown_choose(&ring, 'z');
    eddy_shown_choose(&ring, 'c');
    CHECK_STR(text_of(&ring), "b1:0");
    show(&ring, 30, "ca", 0);
    CHECK_STR(text_of(&ring), "b1:1 c1:0 a1:0");
}

static void the_newest_items_stay(void)
{
    struct eddy_shown_ring ring = {0};
    for (uint32_t list = 0; list < 30; list++) {
        uint64_t items[7];
        for (uint32_t i = 0; i < 7; i++)
            items[i] = 100 * list + i;
        eddy_shown_note(&ring, items, 7, NULL, list);
    }
    CHECK_INT(ring.count, EDDY_SHOWN_MAX);
    for (uint32_t i = 0; i < EDDY_SHOWN_MAX; i++) {
        uint32_t n = 30 * 7 - EDDY_SHOWN_MAX + i;
        CHECK_INT(ring.entries[i].item_hash, 100 * (n / 7) + n % 7);
    }
    ring.entries[3].times = UINT32_MAX;
    uint64_t again = ring.entries[3].item_hash;
    eddy_shown_note(&ring, &again, 1, NULL, 99);
    CHECK_INT(ring.count, EDDY_SHOWN_MAX);
    CHECK(ring.entries[EDDY_SHOWN_MAX - 1].times == UINT32_MAX);
}

int main(void)
{
    RUN(an_item_shown_again_becomes_the_newest);
    RUN(what_is_chosen_is_forgotten_until_it_is_shown_again);
    RUN(the_newest_items_stay);
    return check_done();
}
