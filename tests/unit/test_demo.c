/* The demo's generated world and its live view: what they promise in their headers. */
#include "app/demo_view.h"
#include "app/demo_world.h"
#include "check.h"

static void the_same_seed_makes_the_same_world(void)
{
    struct eddy_world *a = eddy_world_new(600, 20, 7), *b = eddy_world_new(600, 20, 7);
    struct eddy_world *c = eddy_world_new(600, 20, 8);
    uint32_t differing = 0;
    for (uint32_t i = 0; i < 500; i++) {
        bool visit_a, visit_b, visit_c;
        uint32_t item = eddy_world_click(a, i % 20, &visit_a);
        CHECK_INT(item, eddy_world_click(b, i % 20, &visit_b));
        CHECK(visit_a == visit_b);
        CHECK(item < eddy_world_items(a));
        differing += item != eddy_world_click(c, i % 20, &visit_c);
    }
    CHECK(differing > 400);
    eddy_world_free(a);
    eddy_world_free(b);
    eddy_world_free(c);
}

static void titles_are_unique_within_a_genre_and_series_have_parts(void)
{
    struct eddy_world *world = eddy_world_new(3000, 1, 1);
    uint32_t parts = 0;
    for (uint32_t i = 0; i < eddy_world_items(world); i++) {
        const char *title = eddy_world_title(world, i);
        size_t size = strlen(title);
        CHECK(size > 3);
        parts += size > 2 && title[size - 2] == ' ' && title[size - 1] == '3';
        for (uint32_t j = i + 1;
             j < eddy_world_items(world) &&
             eddy_world_genre(world, j) == eddy_world_genre(world, i);
             j++)
            CHECK(strcmp(title, eddy_world_title(world, j)) != 0);
    }
    CHECK(parts > 100);
    eddy_world_free(world);
}

static void history_ends_before_its_end_and_names_known_items(void)
{
    struct eddy_world *world = eddy_world_new(120, 5, 3);
    struct eddy_buf csv;
    eddy_buf_init(&csv, 0);
    eddy_world_history(world, 1000, 1700000000, &csv);
    uint32_t rows = 0;
    for (const char *line = strchr(csv.data, '\n') + 1; *line;
         line = strchr(line, '\n') + 1) {
        unsigned user, item;
        long long time;
        CHECK_INT(sscanf(line, "past-%u,item-%u,%lld,click", &user, &item, &time), 3);
        CHECK(item < eddy_world_items(world));
        CHECK(time < 1700000000);
        rows++;
    }
    CHECK(rows > 800);
    eddy_buf_fini(&csv);
    eddy_world_free(world);
}

static void cells_are_cut_and_padded_by_characters_not_bytes(void)
{
    static const struct {
        const char *text, *want;
        uint32_t columns;
    } cases[] = {
        {"abc", "abc  ", 5},   {"abcdef", "abcd\xE2\x80\xA6", 5},
        {"abcde", "abcde", 5}, {"\xC3\xA9t\xC3\xA9s", "\xC3\xA9t\xC3\xA9s ", 5},
        {"", "   ", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct eddy_buf out;
        eddy_buf_init(&out, 0);
        eddy_view_put_cell(&out, cases[i].text, cases[i].columns);
        CHECK_STR(out.data, cases[i].want);
        eddy_buf_fini(&out);
    }
}

static void a_frame_keeps_within_its_rows_and_has_no_codes_when_plain(void)
{
    struct eddy_view_frame frame = {.seconds = 3, .user_count = 3, .agreement = 0.5};
    for (uint32_t u = 0; u < 3; u++) {
        (void)snprintf(frame.user[u].id, sizeof frame.user[u].id, "user-%u", u);
        frame.user[u].click_count = EDDY_VIEW_CLICKS;
        frame.user[u].item_count = EDDY_VIEW_ITEMS;
    }
    for (uint32_t rows = 10; rows < 40; rows += 7) {
        struct eddy_buf out;
        uint32_t lines = 0;
        eddy_buf_init(&out, 0);
        eddy_view_render(&frame, 80, rows, false, &out);
        for (size_t i = 0; i < out.size; i++)
            lines += out.data[i] == '\n';
        CHECK(lines <= rows);
        CHECK(memchr(out.data, '\033', out.size) == NULL);
        eddy_buf_fini(&out);
    }
}

int main(void)
{
    RUN(the_same_seed_makes_the_same_world);
    RUN(titles_are_unique_within_a_genre_and_series_have_parts);
    RUN(history_ends_before_its_end_and_names_known_items);
    RUN(cells_are_cut_and_padded_by_characters_not_bytes);
    RUN(a_frame_keeps_within_its_rows_and_has_no_codes_when_plain);
    return check_done();
}
