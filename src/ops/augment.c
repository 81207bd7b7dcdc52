#include "ops/augment.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/status.h"

static cnn_status init_slot(cnn_augment_slot *slot, cnn_device *device, size_t draws)
{
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_allocate(&slot->draws, draws, sizeof *slot->draws, "the numbers of augmentation"));
    status = cnn_buffer_init(&slot->device_draws, device, draws * sizeof *slot->draws,
                             "the numbers of augmentation");
out:
    return status;
}

cnn_status cnn_augment_init(cnn_augment *augment, cnn_device *device, cnn_shape shape, int batch,
                            const cnn_augmentation *options)
{
    char build[64];
    cnn_status status = CNN_OK;
    *augment = (cnn_augment){.options = *options, .shape = shape, .batch = batch};
    CNN_TRY(cnn_augment_check(options, (const int[]){shape.c, shape.h, shape.w}));
    snprintf(build, sizeof build, "-DC=%d -DH=%d -DW=%d", shape.c, shape.h, shape.w);
    CNN_TRY(cnn_kernel_init(&augment->kernel, device, "augment.cl", build, "augment"));
    CNN_TRY(cnn_buffer_init(&augment->normal, device, 2 * (size_t)shape.c * sizeof(float),
                            "the normalisation"));
    for (int i = 0; i < CNN_AUGMENT_SLOTS; i++)
        CNN_TRY(init_slot(&augment->slots[i], device, (size_t)batch + 1));
    status = cnn_augment_normalize(augment, NULL);
out:
    return status;
}

void cnn_augment_finish(cnn_augment *augment)
{
    for (int i = 0; i < CNN_AUGMENT_SLOTS; i++) {
        cnn_augment_slot *slot = &augment->slots[i];
        cnn_buffer_free_data(slot->draws, slot->written);
        cnn_buffer_finish(&slot->device_draws);
    }
    cnn_kernel_finish(&augment->kernel);
    cnn_buffer_finish(&augment->normal);
    *augment = (cnn_augment){0};
}

cnn_status cnn_augment_normalize(cnn_augment *augment, const float *values)
{
    size_t count = (size_t)augment->shape.c;
    float *plain = NULL;
    cnn_status status = CNN_OK;
    if (values)
        return cnn_buffer_write(&augment->normal, 0, values, 2 * count * sizeof *values);
    CNN_TRY(cnn_allocate(&plain, 2 * count, sizeof *plain, "the normalisation"));
    for (size_t c = 0; c < count; c++)
        plain[count + c] = 1.0f;
    status = cnn_buffer_write(&augment->normal, 0, plain, 2 * count * sizeof *plain);
out:
    free(plain);
    return status;
}

cnn_status cnn_augment_draw_pass(cnn_augment_draw **draws, cnn_augment *augment, cnn_pass *pass,
                                 const cnn_augment_view *view)
{
    const cnn_augmentation *options = &augment->options;
    cnn_augment_slot *slot = &augment->slots[augment->next];
    int whole = cnn_pass_whole(pass), h = augment->shape.h, w = augment->shape.w;
    cnn_status status = cnn_buffer_settle(&slot->written, augment->kernel.device);
    if (status != CNN_OK)
        return status;
    for (int i = 0; i <= pass->n; i++) {
        int place = (pass->before + (i < pass->n ? i : whole - 1)) % whole;
        cnn_augment_draw_sample(&slot->draws[i], options, h, w, pass->seed,
                                view ? view->number : pass->step,
                                view ? view->samples[i] : (uint32_t)place);
    }
    pass->mixed = options->mixup > 0.0;
    pass->part = cnn_augment_part(options, pass->seed, pass->step);
    *draws = slot->draws;
    return CNN_OK;
}

cnn_status cnn_augment_run(cnn_augment *augment, cl_mem x, cl_mem labels,
                           const cnn_gather_source *source, uint32_t first, uint32_t last,
                           const cnn_pass *pass)
{
    const cnn_augmentation *options = &augment->options;
    cnn_augment_slot *slot = &augment->slots[augment->next];
    size_t pixels = (size_t)pass->n * (size_t)augment->shape.h * (size_t)augment->shape.w;
    bool ordered = source->order != NULL;
    cl_mem order = ordered ? source->order : source->labels; /* some buffer, not read */
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_write_async(&slot->written, &slot->device_draws, slot->draws,
                                   ((size_t)pass->n + 1) * sizeof *slot->draws));
    augment->next = (augment->next + 1) % CNN_AUGMENT_SLOTS;
    status = CNN_LAUNCH(
        &augment->kernel, cnn_kernel_items(augment->kernel.device, pixels), cnn_arg_mem(x),
        cnn_arg_mem(labels), cnn_arg_mem(source->images), cnn_arg_mem(source->labels),
        cnn_arg_mem(order), cnn_arg_int(ordered), cnn_arg_uint(first), cnn_arg_uint(last),
        cnn_arg_int(pass->n), cnn_arg_mem(slot->device_draws.mem),
        cnn_arg_int(options->color > 0.0), cnn_arg_int(options->cutout),
        cnn_arg_float((float)pass->part), cnn_arg_int(pass->mixed ? augment->batch : 0),
        cnn_arg_mem(augment->normal.mem));
out:
    return status;
}
