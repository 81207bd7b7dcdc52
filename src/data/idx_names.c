#include "data/idx_names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/status.h"
#include "base/text.h"

enum {
    /* what makes a name's order */
    PLAIN = 0,
    DOTTED = 2,
    RANK = 10, /* a dimension */
    GZIPPED = 100,
    NESTED = 1000,
    USUAL = 0,
    UNUSUAL = 10000, /* before all else: see check_pair() */
    MOST_RANK = 4
};

static const struct split_name {
    const char *name;
    cnn_split split;
    int order;
} split_names[] = {
    {"train", CNN_SPLIT_TRAIN, USUAL},
    {"t10k", CNN_SPLIT_TEST, USUAL},
    {"test", CNN_SPLIT_TEST, UNUSUAL},
    {"val", CNN_SPLIT_VAL, USUAL},
};

static const struct content_name {
    const char *name;
    int content;
} content_names[] = {{"-images", CNN_IDX_IMAGES}, {"-labels", CNN_IDX_LABELS}};

enum {
    SPLIT_NAMES = sizeof split_names / sizeof split_names[0],
    CONTENT_NAMES = sizeof content_names / sizeof content_names[0]
};

/* Moves *at behind the word; false, and not at all, where it does not begin with it. */
static bool skip(const char **at, const char *word)
{
    if (!cnn_starts_with(*at, word))
        return false;
    *at += strlen(word);
    return true;
}

/* "-idx3-ubyte", ".idx3-ubyte.gz", "-idx2-int" */
static bool parse_end(cnn_idx_name *parsed, const char *at)
{
    static const char *const types[] = {"-ubyte", "-byte", "-short", "-int"};
    bool dot = *at == '.';
    if (!skip(&at, "-idx") && !skip(&at, ".idx"))
        return false;
    if (*at < '1' || *at > '0' + MOST_RANK)
        return false;
    parsed->rank = *at++ - '0';
    bool typed = false;
    for (size_t i = 0; !typed && i < sizeof types / sizeof types[0]; i++)
        typed = skip(&at, types[i]);
    bool packed = skip(&at, ".gz");
    parsed->order += (packed ? GZIPPED : PLAIN) + RANK * parsed->rank + (dot ? DOTTED : 0);
    return typed && *at == '\0';
}

/* From the split's name on. */
static bool parse_role(cnn_idx_name *parsed, const char *name)
{
    for (int i = 0; i < SPLIT_NAMES; i++)
        for (int j = 0; j < CONTENT_NAMES; j++) {
            const char *at = name;
            parsed->order = split_names[i].order;
            parsed->role = 2 * (int)split_names[i].split + content_names[j].content;
            if (skip(&at, split_names[i].name) && skip(&at, content_names[j].name) &&
                parse_end(parsed, at))
                return true;
        }
    return false;
}

bool cnn_idx_name_parse(cnn_idx_name *parsed, const char *name)
{
    *parsed = (cnn_idx_name){.prefix = ""};
    if (parse_role(parsed, name))
        return true;
    for (const char *at = strchr(name, '-'); at; at = strchr(at + 1, '-')) {
        size_t length = (size_t)(at - name);
        if (length < CNN_IDX_PREFIX_SIZE && parse_role(parsed, at + 1)) {
            memcpy(parsed->prefix, name, length);
            parsed->prefix[length] = '\0';
            return length > 0;
        }
    }
    return false;
}

/* Of files named for different splits (t10k and test) one is left out: other images, perhaps. */
static void tell_rival(const cnn_idx_set *set, const cnn_idx_name *parsed, const char *folder,
                       const char *name)
{
    int order = set->orders[parsed->role];
    char quoted[2][CNN_QUOTE_SIZE];
    if (parsed->role % 2 != CNN_IDX_IMAGES || order / UNUSUAL == parsed->order / UNUSUAL)
        return;
    const char *slash = strrchr(set->paths[parsed->role], '/');
    const char *other = slash ? slash + 1 : set->paths[parsed->role];
    bool wins = parsed->order < order;
    cnn_log(CNN_LOG_INFO, "%s: %s is taken for the test images, %s is left out", folder,
            cnn_quote(quoted[0], wins ? name : other), cnn_quote(quoted[1], wins ? other : name));
}

/* A file for a role; it takes the place of one that is less usual. */
static cnn_status add(cnn_idx_set *set, const cnn_idx_name *parsed, const char *folder,
                      const char *name)
{
    char **place = &set->paths[parsed->role];
    if (*place)
        tell_rival(set, parsed, folder, name);
    if (*place && set->orders[parsed->role] <= parsed->order)
        return CNN_OK;
    set->found += *place == NULL;
    free(*place);
    *place = NULL;
    set->orders[parsed->role] = parsed->order;
    return cnn_path_join(place, folder, name);
}

/* Files of this role and set in a folder that is named as one. */
static cnn_status add_nested(cnn_idx_set *set, const cnn_idx_name *outer, const char *folder,
                             const char *name)
{
    cnn_listing listing = {0};
    char *path = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_path_join(&path, folder, name));
    CNN_TRY(cnn_listing_read(&listing, path));
    for (size_t i = 0; i < listing.count; i++) {
        cnn_idx_name inner;
        const cnn_entry *entry = &listing.entries[i];
        if (entry->is_folder || !cnn_idx_name_parse(&inner, entry->name) ||
            inner.role != outer->role || strcmp(inner.prefix, outer->prefix) != 0)
            continue;
        inner.order += NESTED;
        CNN_TRY(add(set, &inner, path, entry->name));
    }
out:
    cnn_listing_finish(&listing);
    free(path);
    return status;
}

/* Adds a prefix to the sets' names where it is new. */
static cnn_status note_prefix(cnn_names *prefixes, const char *prefix)
{
    for (int i = 0; i < prefixes->count; i++)
        if (strcmp(prefixes->at[i], prefix) == 0)
            return CNN_OK;
    return cnn_names_add(prefixes, prefix);
}

/* The sets of a folder, one after the other: "" comes first. */
static cnn_status list_prefixes(cnn_names *prefixes, const cnn_listing *listing)
{
    cnn_status status = CNN_OK;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; status == CNN_OK && i < listing->count; i++) {
            cnn_idx_name parsed;
            if (cnn_idx_name_parse(&parsed, listing->entries[i].name) &&
                (parsed.prefix[0] != '\0') == (pass == 1))
                status = note_prefix(prefixes, parsed.prefix);
        }
    return status;
}

static void append_sets(cnn_text *text, const cnn_names *prefixes, int first)
{
    for (int i = first; i < prefixes->count; i++)
        cnn_text_append(text, "%s%s", i > first ? ", " : "", prefixes->at[i]);
}

/* Which set is meant where the user did not say. */
static cnn_status choose_prefix(const char **prefix, const cnn_names *prefixes, const char *folder)
{
    cnn_text text = {0};
    char *list;
    *prefix = prefixes->count > 0 ? prefixes->at[0] : "";
    if (prefixes->count < 2)
        return CNN_OK;
    bool plain = prefixes->at[0][0] == '\0';
    append_sets(&text, prefixes, plain);
    cnn_status status = cnn_text_take(&list, &text);
    if (status != CNN_OK)
        return status;
    if (plain)
        cnn_log(CNN_LOG_INFO, "%s also has the sets %s: '--data %s/%s' takes such a one", folder,
                list, folder, prefixes->at[1]);
    else
        status = cnn_fail(CNN_ERROR_DATA,
                          "%s: expected the IDX files of one data set, found several (%s): name "
                          "one, as in --data %s/%s",
                          folder, list, folder, prefixes->at[0]);
    free(list);
    return status;
}

cnn_status cnn_idx_set_find(cnn_idx_set *set, const char *folder, const char *prefix)
{
    cnn_listing listing = {0};
    cnn_names prefixes = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_listing_read(&listing, folder));
    CNN_TRY(list_prefixes(&prefixes, &listing));
    if (!prefix)
        CNN_TRY(choose_prefix(&prefix, &prefixes, folder));
    snprintf(set->prefix, sizeof set->prefix, "%s", prefix);
    for (size_t i = 0; i < listing.count; i++) {
        cnn_idx_name parsed;
        const cnn_entry *entry = &listing.entries[i];
        if (!cnn_idx_name_parse(&parsed, entry->name) || strcmp(parsed.prefix, prefix) != 0)
            continue;
        CNN_TRY(entry->is_folder ? add_nested(set, &parsed, folder, entry->name)
                                 : add(set, &parsed, folder, entry->name));
    }
out:
    cnn_listing_finish(&listing);
    cnn_names_finish(&prefixes);
    if (status != CNN_OK)
        cnn_idx_set_finish(set);
    return status;
}

void cnn_idx_set_finish(cnn_idx_set *set)
{
    for (int i = 0; i < CNN_IDX_FILES; i++)
        free(set->paths[i]);
    *set = (cnn_idx_set){0};
}

/* Test images of "t10k" and labels of "test" belong to different images. */
static cnn_status check_pair(const cnn_idx_set *set, const char *folder)
{
    const int images = 2 * (int)CNN_SPLIT_TEST + CNN_IDX_IMAGES;
    const int labels = 2 * (int)CNN_SPLIT_TEST + CNN_IDX_LABELS;
    if (set->orders[images] / UNUSUAL == set->orders[labels] / UNUSUAL)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_FILE,
                    "%s: expected test images and labels that belong together, found %s and %s: "
                    "complete one pair, or remove it",
                    folder, set->paths[images], set->paths[labels]);
}

cnn_status cnn_idx_set_check(const cnn_idx_set *set, const char *folder)
{
    static const char *const wanted[CNN_IDX_NEEDED] = {
        "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte"};
    const char *dash = set->prefix[0] ? "-" : "";
    for (int i = 0; i < CNN_IDX_NEEDED; i++)
        if (!set->paths[i])
            return cnn_fail(CNN_ERROR_FILE,
                            "%s: expected the four IDX files of a data set, but %s%s%s (or "
                            "%s%s%s.gz) is missing",
                            folder, set->prefix, dash, wanted[i], set->prefix, dash, wanted[i]);
    return check_pair(set, folder);
}
