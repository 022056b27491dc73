/* The ring of what was shown and not chosen. */
#include "core/shown.h"

#include "check.h"

static void show(struct eddy_shown_ring *ring, const char *items)
{
    eddy_shown_begin(ring);
    for (; *items; items++)
        eddy_shown_add(ring, (uint64_t)(unsigned char)*items);
}

/* Items and ages as text: "a1b1c0". */
static const char *text_of(const struct eddy_shown_ring *ring)
{
    static char text[4 * EDDY_SHOWN_MAX + 1];
    size_t at = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < ring->count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%c%u",
                               (char)ring->entries[i].item, ring->entries[i].age);
    return text;
}

static void lists_age_with_every_later_one(void)
{
    struct eddy_shown_ring ring = {0};
    show(&ring, "ab");
    CHECK_STR(text_of(&ring), "a0b0");
    show(&ring, "cab");
    CHECK_STR(text_of(&ring), "a1b1c0a0b0");
    show(&ring, "");
    CHECK_STR(text_of(&ring), "a2b2c1a1b1");
    for (int i = 0; i < 300; i++)
        show(&ring, "");
    CHECK_INT(ring.entries[0].age, EDDY_SHOWN_AGE_MAX);
    CHECK_INT(ring.entries[4].age, EDDY_SHOWN_AGE_MAX);
}

static void what_is_chosen_is_forgotten_until_it_is_shown_again(void)
{
    struct eddy_shown_ring ring = {0};
    show(&ring, "abc");
    show(&ring, "bcb");
    eddy_shown_choose(&ring, 'b');
    CHECK_STR(text_of(&ring), "a1c1c0");
    eddy_shown_choose(&ring, 'z');
    CHECK_STR(text_of(&ring), "a1c1c0");
    show(&ring, "b");
    CHECK_STR(text_of(&ring), "a2c2c1b0");
    eddy_shown_choose(&ring, 'a');
    eddy_shown_choose(&ring, 'c');
    eddy_shown_choose(&ring, 'b');
    CHECK_INT(ring.count, 0);
}

static void the_newest_entries_stay(void)
{
    struct eddy_shown_ring ring = {0};
    for (uint64_t list = 0; list < 30; list++) {
        eddy_shown_begin(&ring);
        for (uint64_t i = 0; i < 7; i++)
            eddy_shown_add(&ring, 100 * list + i);
    }
    CHECK_INT(ring.count, EDDY_SHOWN_MAX);
    for (uint64_t i = 0; i < EDDY_SHOWN_MAX; i++) {
        uint64_t n = 30 * 7 - EDDY_SHOWN_MAX + i;
        CHECK_INT(ring.entries[i].item, 100 * (n / 7) + n % 7);
        CHECK_INT(ring.entries[i].age, 29 - n / 7);
    }
}

int main(void)
{
    RUN(lists_age_with_every_later_one);
    RUN(what_is_chosen_is_forgotten_until_it_is_shown_again);
    RUN(the_newest_entries_stay);
    return check_done();
}
