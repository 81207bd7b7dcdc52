/* A data set through its pack: decoded once. */
#define _XOPEN_SOURCE 700 /* realpath() */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/status.h"
#include "base/text.h"
#include "build_config.h"
#include "data/content.h"

/* What images in memory may take; a larger data set streams from its pack. */
static uint64_t memory_limit(void)
{
    enum { USUAL_MIB = 1024 };
    return cnn_mebibytes("CNN_CL_DATA_MEMORY", USUAL_MIB);
}

/* Everything that the images depend on. */
static cnn_status make_key(cnn_taking *taking)
{
    const cnn_data_options *options = taking->options;
    cnn_hasher *hasher = NULL;
    char *real = realpath(taking->path, NULL);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_hasher_create(&hasher));
    cnn_hasher_add_text(hasher, "2 %s %s\n", CNN_VERSION, real ? real : taking->path);
    cnn_hasher_add_text(hasher, "%d,%d %d,%d,%d %s %d\n", options->height, options->width,
                        options->input[0], options->input[1], options->input[2],
                        cnn_picture_fit_name(taking->dataset->fit), options->skip_broken);
    for (int i = 0; i < CNN_SPLITS; i++) {
        const cnn_source *source = taking->sources->splits[i];
        cnn_hasher_add_text(hasher, "split %d\n", i);
        if (source)
            source->kind->identify(hasher, source, taking->path);
    }
    cnn_hasher_end(taking->content.key, hasher);
out:
    free(real);
    return status;
}

static void tell(const cnn_taking *taking, const cnn_pack_content *content)
{
    static const char *const fit_words[] = {[CNN_FIT_CROP] = "cropped",
                                            [CNN_FIT_PAD] = "with black beside them",
                                            [CNN_FIT_STRETCH] = "stretched"};
    size_t count = (size_t)content->skipped;
    for (int i = 0; i < CNN_SPLITS; i++)
        count += content->counts[i];
    if (content->resized)
        cnn_log(CNN_LOG_INFO,
                "%s: the pictures differ in size: all are brought to %d x %d (--size), %s (--fit)",
                taking->path, content->shape[1], content->shape[2],
                fit_words[taking->dataset->fit]);
    if (content->skipped > 0)
        cnn_log(
            CNN_LOG_WARNING, "%zu of %zu pictures cannot be read and %s left out; the first: %s",
            (size_t)content->skipped, count, content->skipped == 1 ? "is" : "are", content->note);
}

/* The labels of what the pack has. */
static cnn_status adopt_labels(cnn_taking *taking, const cnn_pack *pack)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < CNN_SPLITS; i++) {
        const cnn_source *source = taking->sources->splits[i];
        size_t count = pack->content.counts[i];
        const uint32_t *samples = pack->samples + cnn_pack_first(pack, (cnn_split)i);
        for (size_t n = 0; n < count; n++)
            if (!source || samples[n] >= source->count)
                return cnn_fail(CNN_ERROR_DATA, "%s: packed pictures of another data set",
                                pack->path);
        if (source)
            CNN_TRY(cnn_content_label(&taking->dataset->splits[i], source, samples, count));
    }
out:
    return status;
}

static cnn_status read_images(cnn_dataset *dataset, const cnn_pack *pack)
{
    size_t index = 0;
    cnn_status status = CNN_OK;
    for (int i = 0; i < CNN_SPLITS; i++) {
        cnn_split_content *split = &dataset->splits[i];
        if (split->count > 0)
            CNN_TRY(cnn_allocate(&split->images, split->count, pack->image, "images"));
        for (size_t n = 0; n < split->count; n++)
            CNN_TRY(cnn_pack_read(split->images + n * pack->image, pack, index++));
    }
out:
    return status;
}

/* Into memory, or the pack stays open, and images are read when they are wanted. */
static cnn_status adopt(cnn_taking *taking, cnn_pack *pack)
{
    cnn_dataset *dataset = taking->dataset;
    uint64_t total = (uint64_t)cnn_pack_first(pack, (cnn_split)CNN_SPLITS) * pack->image;
    cnn_status status = CNN_OK;
    memcpy(dataset->shape, pack->content.shape, sizeof dataset->shape);
    CNN_TRY(adopt_labels(taking, pack));
    if (total <= memory_limit()) {
        CNN_TRY(read_images(dataset, pack));
    } else {
        char bytes[32];
        cnn_log(CNN_LOG_INFO, "%s: %s of pictures stay in %s and stream from there", taking->path,
                cnn_format_bytes(bytes, total), pack->path);
        dataset->pack = pack;
        pack = NULL;
    }
out:
    if (status != CNN_OK)
        cnn_content_drop(dataset);
    cnn_pack_close(pack);
    return status;
}

/* *found is false where there is no pack that is right. */
static cnn_status take_kept(bool *found, cnn_taking *taking)
{
    cnn_pack *pack = NULL;
    cnn_status status = CNN_ERROR_FILE;
    *found = false;
    if (access(taking->pack_path, F_OK) == 0)
        status = cnn_pack_open(&pack, taking->pack_path, taking->content.key);
    else
        return CNN_OK;
    cnn_pack_content content = {0};
    if (status == CNN_OK) {
        content = pack->content;
        status = adopt(taking, pack);
    }
    *found = status == CNN_OK;
    if (*found)
        tell(taking, &content);
    else if (status != CNN_ERROR_MEMORY)
        cnn_log(CNN_LOG_INFO, "%s: made again", cnn_error_message());
    return status == CNN_ERROR_MEMORY ? status : CNN_OK;
}

/* The new pack gets its name, and is read as any other. One that is larger than the limit is not
 * kept, but for as long as it is open. */
static cnn_status finish_pack(cnn_taking *taking)
{
    cnn_pack *pack = NULL;
    cnn_pack_writer *writer = taking->writer;
    cnn_status status = CNN_OK;
    cnn_content_drop(taking->dataset);
    taking->writer = NULL;
    status = cnn_pack_end(writer, &taking->content);
    taking->unwritable = status == CNN_ERROR_FILE;
    CNN_TRY(status);
    CNN_TRY(cnn_pack_open(&pack, taking->pack_path, taking->content.key));
    if (!cnn_pack_make_room(taking->pack_path,
                            (uint64_t)pack->image * cnn_pack_first(pack, (cnn_split)CNN_SPLITS))) {
        cnn_log(CNN_LOG_INFO,
                "%s: larger than all that is kept (CNN_CL_CACHE_LIMIT): made again in each run",
                taking->pack_path);
        (void)unlink(taking->pack_path);
    }
    status = adopt(taking, pack);
out:
    return status;
}

static cnn_status make(cnn_taking *taking)
{
    cnn_status status = cnn_content_fill(taking);
    if (status == CNN_OK && taking->writer)
        status = finish_pack(taking);
    cnn_pack_abandon(taking->writer);
    taking->writer = NULL;
    if (taking->unwritable) {
        cnn_log(CNN_LOG_INFO, "%s: the pictures are not kept", cnn_error_message());
        cnn_content_drop(taking->dataset);
        free(taking->pack_path);
        taking->pack_path = NULL;
        taking->content.resized = false;
        status = cnn_content_fill(taking);
    }
    if (status == CNN_OK)
        tell(taking, &taking->content);
    return status;
}

/* Only what had to be decoded is worth keeping. */
static cnn_status find_pack(cnn_taking *taking)
{
    cnn_status status = CNN_OK;
    for (int i = 0; i < CNN_SPLITS; i++)
        if (taking->sources->splits[i] && !taking->sources->splits[i]->kind->identify)
            return CNN_OK;
    if (cnn_pack_limit() == 0)
        return CNN_OK;
    CNN_TRY(make_key(taking));
    status = cnn_pack_path(&taking->pack_path, taking->content.key);
out:
    return status;
}

cnn_status cnn_content_take(cnn_taking *taking)
{
    bool found = false;
    cnn_status status = CNN_OK;
    for (int i = 0; i < CNN_SPLITS; i++)
        if (taking->sources->splits[i])
            taking->dataset->of_pictures = taking->sources->splits[i]->kind->measure != NULL;
    if (taking->path && !taking->options->no_cache)
        CNN_TRY(find_pack(taking));
    if (taking->pack_path)
        CNN_TRY(take_kept(&found, taking));
    if (!found)
        CNN_TRY(make(taking));
out:
    free(taking->pack_path);
    taking->pack_path = NULL;
    return status;
}
