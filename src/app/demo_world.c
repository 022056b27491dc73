/* A small world for the demo. It is made so that the three things a sequence model can
 * learn are there and can be seen by eye: taste (genre), order (the next part of a series)
 * and popularity. Nothing in eddy knows how it was made. */
#include "app/demo_world.h"

#include <stdio.h>
#include <stdlib.h>

#include "eddy/error.h"

enum { SERIES_PARTS = 3, ADJECTIVES = 12, NOUNS = 12 };

static const struct {
    const char *name;
    const char *adjectives[ADJECTIVES];
    const char *nouns[NOUNS];
} genres[EDDY_WORLD_GENRES] = {
    /* clang-format off */
    {"Space", {"Distant", "Silent", "Ninth", "Burning", "Frozen", "Lost", "Outer", "Violet", "Falling", "Hollow", "Second", "Last"},
              {"Orbit", "Colony", "Signal", "Nebula", "Starship", "Moon", "Horizon", "Airlock", "Comet", "Probe", "Gravity", "Station"}},
    {"Crime", {"Cold", "Crooked", "Midnight", "Broken", "Hidden", "Velvet", "Unpaid", "Quiet", "Double", "Stolen", "Paper", "Final"},
              {"Alibi", "Witness", "Detective", "Ransom", "Heist", "Verdict", "Ledger", "Safehouse", "Suspect", "Motive", "Precinct", "Informant"}},
    {"Romance", {"Late", "Sweet", "Unsent", "Summer", "Second", "Tender", "Accidental", "Rainy", "Borrowed", "Secret", "Slow", "First"},
              {"Letter", "Kiss", "Wedding", "Promise", "Waltz", "Valentine", "Goodbye", "Proposal", "Balcony", "Bouquet", "Honeymoon", "Rendezvous"}},
    {"Horror", {"Pale", "Whispering", "Rotten", "Screaming", "Black", "Buried", "Crawling", "Empty", "Bleeding", "Nameless", "Seventh", "Dead"},
              {"Cellar", "Attic", "Doll", "Scarecrow", "Asylum", "Mirror", "Grave", "Nursery", "Ritual", "Swarm", "Well", "Hollow"}},
    {"Cooking", {"Smoky", "Golden", "Perfect", "Rustic", "Spicy", "Forgotten", "Five-Minute", "Crispy", "Royal", "Street", "Sunday", "Secret"},
              {"Noodle", "Sourdough", "Oven", "Dumpling", "Curry", "Kitchen", "Barbecue", "Pastry", "Market", "Soup", "Chef", "Feast"}},
    {"Nature", {"Wild", "Great", "Hidden", "Emerald", "Migrating", "Ancient", "Arctic", "Deep", "Restless", "Blooming", "Untamed", "Misty"},
              {"Forest", "Reef", "Savanna", "River", "Glacier", "Wolves", "Canopy", "Tide", "Orchid", "Whale", "Desert", "Nest"}},
    {"Sport", {"Golden", "Unbeaten", "Extra", "Underdog", "Final", "Record", "Rookie", "Iron", "Home", "Breakaway", "Championship", "Muddy"},
              {"Goal", "Marathon", "Sprint", "Coach", "League", "Penalty", "Relay", "Derby", "Ring", "Velodrome", "Podium", "Season"}},
    {"History", {"Fallen", "Roman", "Forgotten", "Imperial", "Siege", "Bronze", "Exiled", "Crusader", "Revolutionary", "Medieval", "Lost", "Great"},
              {"Empire", "Dynasty", "Treaty", "Fortress", "Queen", "Legion", "Manuscript", "Armada", "Throne", "Uprising", "Pharaoh", "Cathedral"}},
    {"Comedy", {"Awkward", "Ridiculous", "Clumsy", "Overbooked", "Hopeless", "Accidental", "Nosy", "Unlikely", "Loud", "Terrible", "Sleepy", "Wrong"},
              {"Roommate", "Interview", "Vacation", "Neighbour", "Reunion", "Babysitter", "Landlord", "Karaoke", "Office", "Wedding Crasher", "Parrot", "Road Trip"}},
    {"Western", {"Dusty", "Lonesome", "Crooked", "Red", "High", "Broken", "Silver", "Outlaw", "Border", "Rusty", "Burning", "Last"},
              {"Saddle", "Saloon", "Sheriff", "Canyon", "Stagecoach", "Bounty", "Ranch", "Revolver", "Prairie", "Gold Mine", "Showdown", "Mustang"}},
    {"Music", {"Electric", "Acoustic", "Backstage", "Faded", "Velvet", "Live", "Unplugged", "Neon", "Garage", "Broken", "Midnight", "Platinum"},
              {"Encore", "Guitar", "Chorus", "Vinyl", "Tour", "Drummer", "Symphony", "Jukebox", "Rehearsal", "Ballad", "Festival", "Anthem"}},
    {"Anime", {"Crimson", "Spirit", "Mecha", "Cherry", "Phantom", "Starlight", "Clockwork", "Dragon", "Floating", "Thunder", "Little", "Eternal"},
              {"Academy", "Samurai", "Guardian", "Shrine", "Alchemist", "Pilot", "Familiar", "Blade", "Festival", "Kingdom", "Detective Club", "Idol"}},
    /* clang-format on */
};

struct item {
    char title[64];
    uint32_t genre;
    uint32_t next_part; /* item, or itself at the end of a series and for singles */
};

/* Where a user stands. */
struct taste {
    uint32_t favourite, second;
    uint32_t last_item;
    uint32_t left; /* clicks left in this visit */
    struct eddy_rng rng;
};

struct eddy_world {
    struct item *items;
    struct taste *users;
    uint32_t item_count, user_count, per_genre;
    double *zipf; /* cumulative popularity of the ranks within a genre */
    uint64_t seed;
};

const char *eddy_world_genre_name(uint32_t genre)
{
    return genres[genre % EDDY_WORLD_GENRES].name;
}

void eddy_world_item_id(uint32_t item, char ret[16])
{
    (void)snprintf(ret, 16, "item-%05u", item % 100000);
}

void eddy_world_user_id(uint32_t user, char ret[16])
{
    (void)snprintf(ret, 16, "user-%04u", user % 10000);
}

uint32_t eddy_world_items(const struct eddy_world *world)
{
    return world->item_count;
}

uint32_t eddy_world_users(const struct eddy_world *world)
{
    return world->user_count;
}

const char *eddy_world_title(const struct eddy_world *world, uint32_t item)
{
    return world->items[item].title;
}

uint32_t eddy_world_genre(const struct eddy_world *world, uint32_t item)
{
    return world->items[item].genre;
}

/* Titles of a genre: walk the adjective-noun pairs; every third work is a series of three
 * parts, later rounds through the pairs get a year. */
static void name_genre(struct eddy_world *world, uint32_t genre)
{
    uint32_t base = genre * world->per_genre, rank = 0, work = 0;
    uint32_t shift = (uint32_t)(eddy_draw64(world->seed, 1, genre, 0) % 144);
    while (rank < world->per_genre) {
        uint32_t pair = (work * 29 + shift) % (ADJECTIVES * NOUNS);
        uint32_t round = work / (ADJECTIVES * NOUNS);
        bool series = work % 3 == 0 && rank + SERIES_PARTS <= world->per_genre;
        for (uint32_t part = 0; part < (series ? SERIES_PARTS : 1); part++, rank++) {
            struct item *item = &world->items[base + rank];
            char tail[24] = "";
            if (series)
                (void)snprintf(tail, sizeof tail, " %u", part + 1);
            if (round > 0)
                (void)snprintf(tail + strlen(tail), sizeof tail - strlen(tail), " (%u)",
                               2026 - round);
            (void)snprintf(item->title, sizeof item->title, "%s %s%s",
                           genres[genre].adjectives[pair / NOUNS],
                           genres[genre].nouns[pair % NOUNS], tail);
            item->genre = genre;
            item->next_part =
                series && part + 1 < SERIES_PARTS ? base + rank + 1 : base + rank;
        }
        work++;
    }
}

static void begin_taste(const struct eddy_world *world, struct taste *taste,
                        uint64_t key)
{
    eddy_rng_seed(&taste->rng, eddy_draw64(world->seed, 2, key, 0));
    taste->favourite = eddy_rng_below(&taste->rng, EDDY_WORLD_GENRES);
    taste->second = eddy_rng_below(&taste->rng, EDDY_WORLD_GENRES);
    taste->last_item = UINT32_MAX;
    taste->left = 0;
}

struct eddy_world *eddy_world_new(uint32_t items, uint32_t users, uint64_t seed)
{
    struct eddy_world *world = calloc(1, sizeof *world);
    if (!world)
        return NULL;
    world->seed = seed;
    world->per_genre = items / EDDY_WORLD_GENRES > 0 ? items / EDDY_WORLD_GENRES : 1;
    world->item_count = world->per_genre * EDDY_WORLD_GENRES;
    world->user_count = users;
    world->items = calloc(world->item_count, sizeof *world->items);
    world->users = calloc(users, sizeof *world->users);
    world->zipf = calloc(world->per_genre, sizeof *world->zipf);
    if (!world->items || !world->users || !world->zipf) {
        eddy_world_free(world);
        return NULL;
    }
    double sum = 0;
    for (uint32_t rank = 0; rank < world->per_genre; rank++)
        world->zipf[rank] = sum += 1.0 / (rank + 8.0);
    for (uint32_t genre = 0; genre < EDDY_WORLD_GENRES; genre++)
        name_genre(world, genre);
    for (uint32_t user = 0; user < users; user++)
        begin_taste(world, &world->users[user], user);
    return world;
}

void eddy_world_free(struct eddy_world *world)
{
    if (!world)
        return;
    free(world->items);
    free(world->users);
    free(world->zipf);
    free(world);
}

/* An item of a genre by popularity: binary search in the cumulative weights. */
static uint32_t draw_item(const struct eddy_world *world, struct eddy_rng *rng,
                          uint32_t genre)
{
    double at = eddy_rng_unit(rng) * world->zipf[world->per_genre - 1];
    uint32_t low = 0, high = world->per_genre - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (world->zipf[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return genre * world->per_genre + low;
}

static void begin_visit(struct taste *taste)
{
    taste->left = 4 + eddy_rng_below(&taste->rng, 9);
    double mood = eddy_rng_unit(&taste->rng);
    if (mood < 0.25) { /* taste moves on: the second genre becomes the favourite */
        taste->favourite = taste->second;
        taste->second = eddy_rng_below(&taste->rng, EDDY_WORLD_GENRES);
    }
}

static uint32_t next_click(const struct eddy_world *world, struct taste *taste,
                           bool *ret_visit)
{
    *ret_visit = taste->left == 0;
    if (taste->left == 0)
        begin_visit(taste);
    taste->left--;
    struct eddy_rng *rng = &taste->rng;
    uint32_t item, tries = 0;
    if (taste->last_item != UINT32_MAX &&
        world->items[taste->last_item].next_part != taste->last_item &&
        eddy_rng_unit(rng) < 0.6) {
        item = world->items[taste->last_item].next_part;
    } else {
        double kind = eddy_rng_unit(rng);
        uint32_t genre = kind < 0.75   ? taste->favourite
                         : kind < 0.92 ? taste->second
                                       : eddy_rng_below(rng, EDDY_WORLD_GENRES);
        do { /* nobody clicks the page he is on */
            item = draw_item(world, rng, genre);
        } while (item == taste->last_item && ++tries < 8);
    }
    taste->last_item = item;
    return item;
}

uint32_t eddy_world_click(struct eddy_world *world, uint32_t user, bool *ret_visit)
{
    return next_click(world, &world->users[user], ret_visit);
}

void eddy_world_history(const struct eddy_world *world, uint32_t events, int64_t end_s,
                        struct eddy_buf *out)
{
    enum { CLICKS_PER_USER = 50, DAY_S = 86400 };
    uint32_t users = events / CLICKS_PER_USER + 1;
    eddy_buf_puts(out, "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n");
    for (uint32_t user = 0; user < users; user++) {
        struct taste taste;
        begin_taste(world, &taste, 1000000 + (uint64_t)user);
        int64_t now_s = end_s - 30 * DAY_S + eddy_rng_below(&taste.rng, 24 * DAY_S);
        for (uint32_t click = 0; click < CLICKS_PER_USER; click++) {
            bool visit = false;
            char item_id[16];
            eddy_world_item_id(next_click(world, &taste, &visit), item_id);
            now_s += visit ? 3600 + eddy_rng_below(&taste.rng, 20 * 3600)
                           : 20 + eddy_rng_below(&taste.rng, 200);
            if (now_s >= end_s)
                break;
            eddy_buf_printf(out, "past-%05u,%s,%lld,click\n", user, item_id,
                            (long long)now_s);
        }
    }
}

void eddy_world_catalog(const struct eddy_world *world, struct eddy_buf *out)
{
    eddy_buf_puts(out, "ITEM_ID,TITLE,GENRE\n");
    for (uint32_t item = 0; item < world->item_count; item++) {
        char id[16];
        eddy_world_item_id(item, id);
        eddy_buf_printf(out, "%s,%s,%s\n", id, world->items[item].title,
                        eddy_world_genre_name(world->items[item].genre));
    }
}
