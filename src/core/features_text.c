/* Text -> hashed n-grams (Weinberger et al. 2009 for the hashing; character n-grams inside
 * words as in fastText, Bojanowski et al. 2017).
 *
 * HTML tags and entities, bytes that are no UTF-8, blanks and punctuation separate. What is
 * left are runs of letters and digits, cut where a script without blanks between its words
 * begins or ends. A run gives itself as a word; a run of Hangul, Han or Kana gives its
 * character pairs besides (in Korean the particles hang on the words, in Chinese and Japanese
 * nothing marks a word's end), any other run of four characters and more its triples with
 * marks for begin and end, so that "1995" and "1996", "robot" and "robots" share some.
 * Letters are made small for Latin, Greek, Cyrillic and full-width forms. */
#include "core/features_priv.h"

enum { RUN_MAX = 64, BEGIN_MARK = 2, END_MARK = 3, WORD = 1, GRAM = 2, SHORT = 3 };

struct grams {
    uint16_t *buckets;
    uint32_t count;
    uint8_t seen[EDDY_TEXT_BUCKETS / 8];
    uint32_t run[RUN_MAX + 2]; /* with room for the marks */
    uint32_t length;
    bool pairs; /* the run is of a script without blanks */
};

/* The character at *at, which moves behind it; 0 for what is no character. */
static uint32_t decode(struct eddy_span text, size_t *at)
{
    const unsigned char *p = (const unsigned char *)text.data + *at;
    size_t left = text.size - *at;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned length = p[0] < 0x80   ? 1
                      : p[0] < 0xc2 ? 0
                      : p[0] < 0xe0 ? 2
                      : p[0] < 0xf0 ? 3
                      : p[0] < 0xf5 ? 4
                                    : 0;
    uint32_t c = p[0];
    *at += 1;
    if (length == 1)
        return c;
    if (length == 0 || length > left)
        return 0;
    c &= 0x7fu >> length;
    for (unsigned i = 1; i < length; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *at += length - 1;
    return c;
}

/* Skips a tag or an entity that begins at *at; false: there is none. */
static bool skip_markup(struct eddy_span text, size_t *at)
{
    const char *p = text.data + *at, *end = text.data + text.size;
    const char *q = p + 1;
    if (p[0] == '<' && q < end &&
        ((*q >= 'a' && *q <= 'z') || (*q >= 'A' && *q <= 'Z') || *q == '/' ||
         *q == '!')) {
        while (q < end && *q != '>')
            q++;
        if (q == end)
            return false;
    } else if (p[0] == '&') {
        while (q < end && q - p <= 10 &&
               ((*q >= 'a' && *q <= 'z') || (*q >= 'A' && *q <= 'Z') ||
                (*q >= '0' && *q <= '9') || *q == '#'))
            q++;
        if (q == end || *q != ';' || q == p + 1)
            return false;
    } else {
        return false;
    }
    *at += (size_t)(q - p) + 1;
    return true;
}

static bool between(uint32_t c, uint32_t low, uint32_t high)
{
    return c >= low && c <= high;
}

/* Hangul, Han, Kana. */
static bool is_pair_script(uint32_t c)
{
    return between(c, 0x1100, 0x11ff) || between(c, 0x3005, 0x3007) ||
           between(c, 0x3040, 0x30fa) || between(c, 0x30fc, 0x318f) ||
           between(c, 0x31f0, 0x31ff) || between(c, 0x3400, 0x4dbf) ||
           between(c, 0x4e00, 0x9fff) || between(c, 0xac00, 0xd7a3) ||
           between(c, 0xf900, 0xfaff) || between(c, 0xff66, 0xff9d) ||
           between(c, 0x20000, 0x2fa1f);
}

/* Letters and digits, roughly: what is not known as blank, mark or sign. */
static bool is_letter(uint32_t c)
{
    if (c < 0x80)
        return between(c, '0', '9') || between(c, 'a', 'z');
    if (is_pair_script(c))
        return true;
    return !(c < 0xc0 || c == 0xd7 || c == 0xf7 || between(c, 0x2000, 0x2bff) ||
             between(c, 0x2e00, 0x303f) || c == 0x30fb || between(c, 0xe000, 0xf8ff) ||
             between(c, 0xfe10, 0xfe6f) || between(c, 0xff00, 0xff0f) ||
             between(c, 0xff1a, 0xff20) || between(c, 0xff3b, 0xff40) ||
             between(c, 0xff5b, 0xff65) || between(c, 0xfff0, 0xffff) ||
             between(c, 0x1f000, 0x1faff));
}

static uint32_t small(uint32_t c)
{
    if (between(c, 0xff01, 0xff5e))
        c -= 0xfee0; /* full-width ASCII */
    if (between(c, 'A', 'Z') || (between(c, 0xc0, 0xde) && c != 0xd7) ||
        (between(c, 0x391, 0x3a9) && c != 0x3a2) || between(c, 0x410, 0x42f))
        return c + 32;
    if (between(c, 0x400, 0x40f))
        return c + 80;
    /* Latin Extended-A: pairs, large ones even; from 0x139 to 0x148 and from 0x179 odd. */
    if (between(c, 0x100, 0x137) || between(c, 0x14a, 0x177))
        return c | 1;
    if (between(c, 0x139, 0x148) || between(c, 0x179, 0x17e))
        return c + (c & 1);
    return c;
}

static void put(struct grams *grams, uint64_t kind, const uint32_t *characters,
                uint32_t count)
{
    uint64_t hash = kind;
    for (uint32_t i = 0; i < count; i++)
        hash = eddy_mix64(hash, characters[i]);
    uint32_t bucket = (uint32_t)(hash % EDDY_TEXT_BUCKETS);
    uint8_t bit = (uint8_t)(1u << (bucket % 8));
    if (grams->count == EDDY_TEXT_ROW || (grams->seen[bucket / 8] & bit) != 0)
        return;
    grams->seen[bucket / 8] |= bit;
    grams->buckets[grams->count++] = (uint16_t)bucket;
}

static void end_run(struct grams *grams)
{
    uint32_t n = grams->length, size = grams->pairs ? 2 : 3;
    if (n == 0)
        return;
    put(grams, WORD, grams->run + 1, n);
    grams->run[0] = BEGIN_MARK;
    grams->run[n + 1] = END_MARK;
    if (grams->pairs) {
        for (uint32_t i = 1; i + size <= n + 1; i++)
            put(grams, GRAM, grams->run + i, size);
    } else if (n > SHORT) {
        for (uint32_t i = 0; i + size <= n + 2; i++)
            put(grams, GRAM, grams->run + i, size);
    }
    grams->length = 0;
}

uint32_t eddy_features_text(struct eddy_span text, uint16_t *ret)
{
    struct grams grams = {.buckets = ret};
    size_t at = 0;
    while (at < text.size && grams.count < EDDY_TEXT_ROW) {
        if (skip_markup(text, &at)) {
            end_run(&grams);
            continue;
        }
        uint32_t c = small(decode(text, &at));
        bool pairs = is_pair_script(c);
        if (grams.length > 0 && (pairs != grams.pairs || grams.length == RUN_MAX))
            end_run(&grams);
        if (!is_letter(c)) {
            end_run(&grams);
            continue;
        }
        grams.pairs = pairs;
        grams.run[++grams.length] = c;
    }
    end_run(&grams);
    return grams.count;
}
