/* What stands near an item in histories. */
#include "core/similar_near.h"

#include <math.h>

#include "log_rows.h"

/* a, b, c in a row; d after a for one more user; e alone. */
static const char log_text[] = "USER_ID,ITEM_ID,TIMESTAMP\n"
                               "u,a,1600000000\nu,b,1600000001\nu,c,1600000002\n"
                               "v,a,1600000000\nv,d,1600000001\nv,a,1600000002\n"
                               "w,b,1600000000\nx,e,1600000000\n";
enum { ITEMS = 5 };

struct world {
    struct eddy_interactions in;
    struct eddy_near near;
    struct eddy_near_scratch scratch;
    float row[ITEMS];
};

static void world_init(struct world *world)
{
    world->in = rows_of_text(log_text);
    CHECK_INT(eddy_near_init(&world->near, &world->in, NULL), 0);
    CHECK_INT(eddy_near_scratch_init(&world->scratch, ITEMS), 0);
}

static void world_fini(struct world *world)
{
    eddy_near_scratch_fini(&world->scratch);
    eddy_near_fini(&world->near);
    eddy_interactions_fini(&world->in);
}

static float *row_of(struct world *world, char id)
{
    const char text[] = {id, 0};
    for (int i = 0; i < ITEMS; i++)
        world->row[i] = 0;
    eddy_near_add(&world->near, &world->scratch,
                  eddy_catalog_find(world->in.items, eddy_span_of(text)), world->row);
    return world->row;
}

static double near_to(struct world *world, char id, char other)
{
    const char text[] = {other, 0};
    uint32_t at = eddy_catalog_find(world->in.items, eddy_span_of(text));
    return (double)row_of(world, id)[at];
}

static void what_follows_counts_more_than_what_went_before_and_near_more_than_far(void)
{
    struct world world;
    world_init(&world);
    /* of a: b follows once, c at two; d follows one a and stands before the other */
    double b = pow(2, -0.3), c = 1 / sqrt(2), d = 1 + 0.5, most = d + 5;
    CHECK_NEAR(near_to(&world, 'a', 'b'), b / most, 1e-6);
    CHECK_NEAR(near_to(&world, 'a', 'c'), c / most, 1e-6);
    CHECK_NEAR(near_to(&world, 'a', 'd'), d / most, 1e-6);
    /* of c: b went before, a before that */
    double before = 0.5 * pow(2, -0.3);
    CHECK_NEAR(near_to(&world, 'c', 'b'), before / (before + 5), 1e-6);
    CHECK_NEAR(near_to(&world, 'c', 'a'), before / sqrt(2) / (before + 5), 1e-6);
    world_fini(&world);
}

static void an_item_is_not_near_itself_and_one_alone_not_near_anything(void)
{
    struct world world;
    world_init(&world);
    CHECK_NEAR(near_to(&world, 'a', 'a'), 0, 0); /* v has it twice */
    for (const char *other = "abcde"; *other != 0; other++)
        CHECK_NEAR(near_to(&world, 'e', *other), 0, 0);
    world_fini(&world);
}

static void a_row_is_added_to_what_is_there_and_leaves_no_trace(void)
{
    struct world world;
    world_init(&world);
    double once = near_to(&world, 'a', 'b');
    CHECK_NEAR(near_to(&world, 'a', 'b'), once, 0);
    uint32_t b = eddy_catalog_find(world.in.items, eddy_span_of("b"));
    eddy_near_add(&world.near, &world.scratch,
                  eddy_catalog_find(world.in.items, eddy_span_of("a")), world.row);
    CHECK_NEAR((double)world.row[b], 2 * once, 1e-6);
    for (int i = 0; i < ITEMS; i++)
        CHECK_NEAR((double)world.scratch.weights[i], 0, 0);
    world_fini(&world);
}

int main(void)
{
    RUN(what_follows_counts_more_than_what_went_before_and_near_more_than_far);
    RUN(an_item_is_not_near_itself_and_one_alone_not_near_anything);
    RUN(a_row_is_added_to_what_is_there_and_leaves_no_trace);
    return check_done();
}
