/* A part of a source: some of its samples. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/philox.h"
#include "base/status.h"
#include "data/source.h"

/* Both parts share their parent; the one that is destroyed last destroys it. */
typedef struct part {
    cnn_source base;
    cnn_source *parent;
    size_t *users;     /* shared, too */
    uint32_t *indices; /* (count), rising */
} part;

static uint16_t get_label(const cnn_source *source, size_t index)
{
    const part *from = (const part *)source;
    return from->parent->kind->label(from->parent, from->indices[index]);
}

static cnn_status fill(uint8_t *image, const cnn_source *source, size_t index, const cnn_aim *aim)
{
    const part *from = (const part *)source;
    return from->parent->kind->fill(image, from->parent, from->indices[index], aim);
}

static cnn_status measure(cnn_source *source)
{
    cnn_source *parent = ((part *)source)->parent;
    cnn_status status = parent->kind->measure(parent);
    memcpy(source->shape, parent->shape, sizeof source->shape);
    source->bits = parent->bits;
    return status;
}

static void identify(cnn_hasher *hasher, const cnn_source *source, const char *base)
{
    const part *from = (const part *)source;
    if (from->parent->kind->identify)
        from->parent->kind->identify(hasher, from->parent, base);
    cnn_hasher_add_text(hasher, "part %zu\n", source->count);
    for (size_t i = 0; i < source->count; i++)
        cnn_hasher_add_text(hasher, "%" PRIu32 "\n", from->indices[i]);
}

static void destroy(cnn_source *source)
{
    part *from = (part *)source;
    if (--*from->users == 0) {
        cnn_source_destroy(from->parent);
        free(from->users);
    }
    free(from->indices);
    free(from);
}

static cnn_status create(cnn_source **result, cnn_source *parent, size_t *users, const bool *held,
                         size_t count, bool wanted)
{
    static const cnn_source_class kind = {get_label, fill, NULL, NULL, destroy, NULL};
    static const cnn_source_class measured = {get_label, fill, measure, NULL, destroy, identify};
    part *made = NULL;
    cnn_status status = cnn_allocate(&made, 1, sizeof *made, "a split");
    if (status != CNN_OK)
        return status;
    *made = (part){.base = {.kind = parent->kind->measure ? &measured : &kind, .count = count},
                   .parent = parent,
                   .users = users};
    memcpy(made->base.shape, parent->shape, sizeof parent->shape);
    status = cnn_allocate(&made->indices, count, sizeof *made->indices, "a split");
    if (status != CNN_OK) {
        free(made);
        return status;
    }
    size_t at = 0;
    for (size_t i = 0; i < parent->count; i++)
        if (held[i] == wanted)
            made->indices[at++] = (uint32_t)i;
    ++*users;
    *result = &made->base;
    return CNN_OK;
}

/* Which samples are held out: always the same ones of so many. */
static cnn_status choose(bool **held, size_t count, size_t wanted)
{
    uint32_t *order = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&order, count, sizeof *order, "a split"));
    CNN_TRY(cnn_allocate(held, count, sizeof **held, "a split"));
    cnn_philox_permutation(order, (uint32_t)count, 0, CNN_STREAM_HOLDOUT, 0, 0);
    for (size_t i = 0; i < wanted; i++)
        (*held)[order[count - 1 - i]] = true;
out:
    free(order);
    return status;
}

static cnn_status check(size_t count, size_t wanted, double share)
{
    if (count > UINT32_MAX)
        return cnn_fail(CNN_ERROR_DATA, "expected at most %u images, found %zu", UINT32_MAX, count);
    if (wanted > 0 && wanted < count)
        return CNN_OK;
    return cnn_fail(CNN_ERROR_DATA,
                    "--val-split: expected some of the %zu training images to be held out and some "
                    "to be trained on, found %zu and %zu for %g",
                    count, wanted, count - wanted, share);
}

cnn_status cnn_sources_divide(cnn_sources *sources, double share)
{
    cnn_source *whole = sources->splits[CNN_SPLIT_TRAIN];
    size_t count = whole->count, wanted = (size_t)(share * (double)count + 0.5);
    size_t *users = NULL;
    bool *held = NULL;
    cnn_source *kept = NULL, *validation = NULL;
    cnn_status status = CNN_OK;
    CNN_TRY(check(count, wanted, share));
    CNN_TRY(choose(&held, count, wanted));
    CNN_TRY(cnn_allocate(&users, 1, sizeof *users, "a split"));
    *users = 1; /* while this is not done the whole stays */
    CNN_TRY(create(&kept, whole, users, held, count - wanted, false));
    CNN_TRY(create(&validation, whole, users, held, wanted, true));
    --*users;
    sources->splits[CNN_SPLIT_TRAIN] = kept;
    sources->splits[CNN_SPLIT_VAL] = validation;
    kept = NULL;
    users = NULL;
out:
    cnn_source_destroy(kept);
    free(users);
    free(held);
    return status;
}
