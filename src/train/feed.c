#include "train/feed.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/size.h"
#include "base/status.h"

static size_t image_bytes(const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
}

uint64_t cnn_feed_resident_bytes(const cnn_dataset *dataset, cnn_split split, size_t sample)
{
    uint64_t count = cnn_dataset_count(dataset, split);
    return count * (sample + sizeof(uint16_t) + sizeof(uint32_t));
}

size_t cnn_feed_batch_count(const cnn_feed *feed)
{
    size_t batch = (size_t)feed->batch;
    return cnn_divide_up(feed->count, batch);
}

static cnn_status init_resident(cnn_feed *feed, bool of_rows)
{
    const cnn_dataset *dataset = feed->dataset;
    size_t count = feed->count, bytes = count * feed->sample;
    cnn_status status = CNN_OK;
    if (of_rows)
        CNN_TRY(cnn_buffer_init(&feed->images, feed->device, bytes, "what is frozen"));
    else
        CNN_TRY(cnn_buffer_share(&feed->images, feed->device,
                                 cnn_dataset_images(dataset, feed->split), bytes,
                                 "the data set's images"));
    CNN_TRY(cnn_buffer_share(&feed->labels, feed->device, cnn_dataset_labels(dataset, feed->split),
                             count * sizeof(uint16_t), "the data set's labels"));
    status = cnn_buffer_init(&feed->order, feed->device, count * sizeof(uint32_t),
                             "the order of the samples");
out:
    return status;
}

static cnn_status init_slot(cnn_feed *feed, cnn_feed_slot *slot)
{
    size_t piece = (size_t)feed->piece + 1, bytes = piece * feed->sample;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&slot->images, bytes, 1, "a batch of images"));
    CNN_TRY(cnn_allocate(&slot->labels, piece, sizeof *slot->labels, "a batch of labels"));
    CNN_TRY(cnn_buffer_init(&slot->device_images, feed->device, bytes, "a batch of images"));
    CNN_TRY(cnn_buffer_init(&slot->device_labels, feed->device, piece * sizeof *slot->labels,
                            "a batch of labels"));
out:
    return status;
}

/* Of what a sample is has been set. */
static cnn_status init(cnn_feed *feed, bool of_rows)
{
    cnn_status status = CNN_OK;
    feed->view = -1;
    CNN_TRY(cnn_allocate(&feed->samples, (size_t)feed->piece + 1, sizeof *feed->samples,
                         "the samples of a view"));
    if (!feed->streaming)
        return init_resident(feed, of_rows);
    if (of_rows)
        CNN_TRY(cnn_allocate(&feed->rows, feed->count, feed->sample, "what is frozen"));
    CNN_TRY(
        cnn_allocate(&feed->host_order, feed->count, sizeof(uint32_t), "the order of the samples"));
    for (int i = 0; i < CNN_FEED_SLOTS; i++)
        CNN_TRY(init_slot(feed, &feed->slots[i]));
out:
    return status;
}

cnn_status cnn_feed_init(cnn_feed *feed, cnn_device *device, const cnn_dataset *dataset,
                         cnn_split split, int batch, int piece, bool streaming)
{
    *feed = (cnn_feed){.device = device,
                       .dataset = dataset,
                       .split = split,
                       .batch = batch,
                       .piece = piece,
                       .count = cnn_dataset_count(dataset, split),
                       .streaming = streaming,
                       .sample = image_bytes(dataset)};
    return init(feed, false);
}

cnn_status cnn_feed_init_rows(cnn_feed *feed, cnn_device *device, const cnn_dataset *dataset,
                              cnn_split split, int batch, int piece, bool streaming, size_t row)
{
    *feed = (cnn_feed){.device = device,
                       .dataset = dataset,
                       .split = split,
                       .batch = batch,
                       .piece = piece,
                       .count = cnn_dataset_count(dataset, split),
                       .streaming = streaming,
                       .sample = row * sizeof(float)};
    return init(feed, true);
}

cnn_status cnn_feed_put(cnn_feed *feed, size_t first, int n, const cnn_buffer *rows)
{
    size_t offset = first * feed->sample, bytes = (size_t)n * feed->sample;
    return feed->streaming ? cnn_buffer_read(feed->rows + offset, rows, 0, bytes)
                           : cnn_buffer_enqueue_put(&feed->images, offset, rows, bytes);
}

void cnn_feed_finish(cnn_feed *feed)
{
    /* After a failure steps may be in flight: they read the data set, which may be gone next. */
    if (feed->device)
        (void)clFinish(feed->device->queue);
    for (int i = 0; i < CNN_FEED_SLOTS; i++) {
        cnn_feed_slot *slot = &feed->slots[i];
        cnn_buffer_free_data(slot->images, slot->images_written);
        cnn_buffer_free_data(slot->labels, slot->labels_written);
        cnn_buffer_finish(&slot->device_images);
        cnn_buffer_finish(&slot->device_labels);
    }
    cnn_buffer_finish(&feed->images);
    cnn_buffer_finish(&feed->labels);
    cnn_buffer_finish(&feed->order);
    free(feed->host_order);
    free(feed->samples);
    free(feed->rows);
    *feed = (cnn_feed){0};
}

cnn_status cnn_feed_set_order(cnn_feed *feed, const uint32_t *order, size_t count)
{
    feed->count = order ? count : cnn_dataset_count(feed->dataset, feed->split);
    feed->ordered = order != NULL;
    feed->given_order = order;
    size_t bytes = feed->count * sizeof *order;
    if (!order || bytes == 0)
        return CNN_OK;
    if (!feed->streaming)
        return cnn_buffer_write(&feed->order, 0, order, bytes);
    memcpy(feed->host_order, order, bytes);
    feed->given_order = feed->host_order;
    return CNN_OK;
}

/* Places of the pass's order: n from first on, and the one that the first is mixed with. */
typedef struct places {
    size_t first, last;
    int n;
    bool mixed;
} places;

/* The split's sample number i of these; n is the one behind. */
static size_t sample_at(const cnn_feed *feed, const places *at, size_t i)
{
    size_t place = i < (size_t)at->n ? at->first + i : at->last;
    return feed->ordered ? feed->given_order[place] : place;
}

/* Each row of an image, (C, H, W), from its end. */
static void mirror(uint8_t *image, const cnn_dataset *dataset)
{
    const int *shape = cnn_dataset_shape(dataset);
    size_t width = (size_t)shape[2], rows = (size_t)shape[0] * (size_t)shape[1];
    for (size_t r = 0; r < rows; r++, image += width)
        for (size_t x = 0; x < width / 2; x++) {
            uint8_t left = image[x];
            image[x] = image[width - 1 - x];
            image[width - 1 - x] = left;
        }
}

/* Collects the piece on the host and sends it; waits only for the write of two pieces ago. */
static cnn_status stream(cnn_feed *feed, cnn_feed_slot *slot, const places *at)
{
    size_t bytes = feed->sample, n = (size_t)at->n + at->mixed;
    const uint16_t *labels = cnn_dataset_labels(feed->dataset, feed->split);
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_settle(&slot->images_written, feed->device));
    CNN_TRY(cnn_buffer_settle(&slot->labels_written, feed->device));
    for (size_t i = 0; i < n; i++) {
        size_t index = sample_at(feed, at, i);
        uint8_t *target = slot->images + i * bytes;
        if (feed->rows)
            memcpy(target, feed->rows + index * bytes, bytes);
        else
            CNN_TRY(cnn_dataset_read(target, feed->dataset, feed->split, index));
        if (feed->mirrored)
            mirror(target, feed->dataset);
        slot->labels[i] = labels[index];
    }
    CNN_TRY(cnn_buffer_write_async(&slot->images_written, &slot->device_images, slot->images,
                                   n * bytes));
    CNN_TRY(cnn_buffer_write_async(&slot->labels_written, &slot->device_labels, slot->labels,
                                   n * sizeof *labels));
out:
    return status;
}

static int smaller(size_t a, int b)
{
    return a < (size_t)b ? (int)a : b;
}

/* The weights of the labels of the batch that begins at a place. */
static double weigh(const cnn_feed *feed, const uint32_t *order, size_t begin)
{
    const uint16_t *labels = cnn_dataset_labels(feed->dataset, feed->split);
    size_t end = begin + (size_t)smaller(feed->count - begin, feed->batch);
    double sum = 0.0;
    for (size_t i = begin; i < end; i++)
        sum += (double)feed->weights[labels[order ? order[i] : i]];
    return sum;
}

/* Contrast goes about an image's own mean. streamed (n + 1 samples): NULL where they are resident.
 */
static void set_greys(cnn_augment_draw *draws, const cnn_feed *feed, const places *at,
                      const uint8_t *streamed)
{
    const int *shape = cnn_dataset_shape(feed->dataset);
    const uint8_t *all = cnn_dataset_images(feed->dataset, feed->split);
    size_t pixels = (size_t)shape[1] * (size_t)shape[2];
    for (size_t i = 0; i < (size_t)at->n + at->mixed; i++) {
        size_t place = streamed ? i : sample_at(feed, at, i);
        draws[i].grey =
            cnn_augment_grey((streamed ? streamed : all) + place * feed->sample, shape[0], pixels);
    }
}

/* The draws of a pass whose images are changed. */
static cnn_status draw(cnn_augment_draw **draws, cnn_feed *feed, cnn_plan *plan, const places *at,
                       cnn_pass *pass)
{
    const cnn_augment_view view = {(uint64_t)feed->view, feed->samples};
    if (feed->view < 0)
        return cnn_augment_draw_pass(draws, &plan->augment, pass, NULL);
    for (size_t i = 0; i <= (size_t)at->n; i++)
        feed->samples[i] = (uint32_t)sample_at(feed, at, i);
    return cnn_augment_draw_pass(draws, &plan->augment, pass, &view);
}

/* The plan's input and labels of these places of a source; of a streamed one those that were sent.
 */
static cnn_status put(cnn_feed *feed, cnn_plan *plan, const cnn_gather_source *source,
                      const places *at, const uint8_t *streamed, cnn_pass *pass)
{
    size_t first = streamed ? 0 : at->first, last = streamed ? (size_t)at->n : at->last;
    cnn_augment_draw *draws;
    cnn_status status = CNN_OK;
    if ((!pass->training && feed->view < 0) || !plan->augment.kernel.handle)
        return cnn_plan_gather(plan, source, (uint32_t)first, pass->n);
    CNN_TRY(draw(&draws, feed, plan, at, pass));
    if (plan->augment.options.color > 0.0)
        set_greys(draws, feed, at, streamed);
    status = cnn_plan_augment(plan, source, (uint32_t)first, (uint32_t)last, pass);
out:
    return status;
}

/* The samples that the pass says of batch number `index`. */
static cnn_status deliver(cnn_pass *pass, cnn_feed *feed, cnn_plan *plan, size_t index)
{
    size_t begin = index * (size_t)feed->batch, first = begin + (size_t)pass->before;
    if (feed->weights && pass->training)
        pass->weight = weigh(feed, feed->ordered ? feed->given_order : NULL, begin);
    size_t whole = (size_t)cnn_pass_whole(pass);
    const places at = {.first = first,
                       .last = begin + ((size_t)pass->before + whole - 1) % whole,
                       .n = pass->n,
                       .mixed = pass->training && plan->augment.options.mixup > 0.0};
    if (!feed->streaming) {
        cnn_gather_source resident = {feed->images.mem, feed->labels.mem,
                                      feed->ordered ? feed->order.mem : NULL};
        return put(feed, plan, &resident, &at, NULL, pass);
    }
    cnn_feed_slot *slot = &feed->slots[feed->next_slot];
    feed->next_slot = (feed->next_slot + 1) % CNN_FEED_SLOTS;
    cnn_status status = stream(feed, slot, &at);
    if (status != CNN_OK)
        return status;
    cnn_gather_source streamed = {slot->device_images.mem, slot->device_labels.mem, NULL};
    return put(feed, plan, &streamed, &at, slot->images, pass);
}

int cnn_feed_batch_size(const cnn_feed *feed, size_t index)
{
    return smaller(feed->count - index * (size_t)feed->batch, feed->batch);
}

cnn_status cnn_feed_piece(cnn_pass *pass, cnn_feed *feed, cnn_plan *plan, size_t index)
{
    int left = cnn_feed_batch_size(feed, index) - pass->before;
    pass->n = left < feed->piece ? left : feed->piece;
    pass->after = left - pass->n;
    return deliver(pass, feed, plan, index);
}

cnn_status cnn_feed_slice(cnn_pass *pass, cnn_feed *feed, cnn_plan *plan, size_t index,
                          const cnn_cut *cut, int slice)
{
    int end = cnn_cut_begin(cut, slice + 1);
    pass->before = cnn_cut_begin(cut, slice);
    pass->n = end - pass->before;
    pass->after = cut->samples - end;
    pass->sliced = true;
    return deliver(pass, feed, plan, index);
}
