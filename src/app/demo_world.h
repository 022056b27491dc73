/* Layer: app.  The world of `eddy demo`: a generated catalogue with readable names and users
 * with taste. Everything is drawn from the seed.
 *
 * Items: genres, in each of them series of three parts ("Part 1" .. "Part 3") and single
 * titles; within a genre popularity falls like Zipf's law.
 * Users: one favourite genre (and a second one) at a time. A visit is a run of clicks:
 * mostly the favourite genre, the next part after a part, now and then anything popular.
 * Between visits taste may move on: that is what a list has to follow. */
#ifndef EDDY_APP_DEMO_WORLD_H
#define EDDY_APP_DEMO_WORLD_H

#include <stdint.h>

#include "base/buf.h"
#include "base/rng.h"

struct eddy_world;

enum { EDDY_WORLD_GENRES = 12 };

/* Owned: eddy_world_free. NULL: memory. */
struct eddy_world *eddy_world_new(uint32_t items, uint32_t users, uint64_t seed);
void eddy_world_free(struct eddy_world *world);

/* Sizes of the world. */
uint32_t eddy_world_items(const struct eddy_world *world);
uint32_t eddy_world_users(const struct eddy_world *world);
/* "item-00042", "user-0007": into ret, 16 bytes. */
void eddy_world_item_id(uint32_t item, char ret[16]);
void eddy_world_user_id(uint32_t user, char ret[16]);
const char *eddy_world_title(const struct eddy_world *world, uint32_t item);
uint32_t eddy_world_genre(const struct eddy_world *world, uint32_t item);
const char *eddy_world_genre_name(uint32_t genre);

/* The next click of a user: moves his taste and position on. Sets *ret_visit when the click
 * begins a visit. */
uint32_t eddy_world_click(struct eddy_world *world, uint32_t user, bool *ret_visit);

/* A past of about events clicks as CSV (USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE), ending at
 * end_s, by users of their own ("past-...": not those who click live); and the catalogue as
 * CSV (ITEM_ID,TITLE,GENRE). */
void eddy_world_history(const struct eddy_world *world, uint32_t events, int64_t end_s,
                        struct eddy_buf *out);
void eddy_world_catalog(const struct eddy_world *world, struct eddy_buf *out);

#endif
