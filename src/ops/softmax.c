#include "ops/softmax.h"

#include "base/status.h"

static cnn_status init_kernels(cnn_softmax *softmax, cnn_device *device, const char *options)
{
    enum { GROUP = 256 }; /* of cl/softmax.cl */
    cnn_status status = CNN_OK;
    if (device->kernel_class == CNN_KERNEL_GPU && !device->exact) {
        CNN_TRY(cnn_kernel_init(&softmax->batch, device, "softmax.cl", options, "softmax_batch"));
        status = cnn_kernel_set_local_size(&softmax->batch, GROUP);
    } else {
        CNN_TRY(cnn_kernel_init(&softmax->loss, device, "softmax.cl", options,
                                "softmax_cross_entropy"));
        status = cnn_kernel_init(&softmax->tally, device, "softmax.cl", options, "softmax_tally");
    }
out:
    return status;
}

static void finish_kernels(cnn_softmax *softmax)
{
    cnn_kernel_finish(&softmax->loss);
    cnn_kernel_finish(&softmax->tally);
    cnn_kernel_finish(&softmax->batch);
}

cnn_status cnn_softmax_init(cnn_softmax *softmax, cnn_device *device, int classes, int batch,
                            size_t slots)
{
    cnn_status status = CNN_OK;
    size_t samples = (size_t)batch * sizeof(cl_float);
    softmax->classes = classes;
    softmax->samples = batch;
    softmax->slots = slots;
    CNN_TRY(init_kernels(softmax, device, ""));
    CNN_TRY(cnn_buffer_init(&softmax->sample_losses, device, samples, "the samples' losses"));
    CNN_TRY(cnn_buffer_init(&softmax->sample_hits, device, samples, "the samples' hits"));
    CNN_TRY(cnn_buffer_init(&softmax->losses, device, slots * sizeof(cl_float), "the losses"));
    CNN_TRY(cnn_buffer_init(&softmax->hits, device, slots * sizeof(cl_uint), "the hits"));
    CNN_TRY(cnn_buffer_init(&softmax->bad, device, sizeof(cl_int), "the mark of a bad loss"));
    status = cnn_softmax_reset(softmax);
out:
    return status;
}

void cnn_softmax_finish(cnn_softmax *softmax)
{
    finish_kernels(softmax);
    cnn_buffer_finish(&softmax->weights);
    cnn_buffer_finish(&softmax->sample_losses);
    cnn_buffer_finish(&softmax->sample_hits);
    cnn_buffer_finish(&softmax->losses);
    cnn_buffer_finish(&softmax->hits);
    cnn_buffer_finish(&softmax->bad);
}

cnn_status cnn_softmax_shape(cnn_softmax *softmax, double smoothing, const float *weights)
{
    cnn_device *device = softmax->bad.device;
    size_t bytes = (size_t)softmax->classes * sizeof *weights;
    cnn_status status = CNN_OK;
    finish_kernels(softmax);
    CNN_TRY(init_kernels(softmax, device, "-DSHAPED"));
    softmax->smoothing = smoothing;
    if (!weights)
        return CNN_OK;
    CNN_TRY(cnn_buffer_init(&softmax->weights, device, bytes, "the classes' weights"));
    status = cnn_buffer_write(&softmax->weights, 0, weights, bytes);
out:
    return status;
}

cnn_status cnn_softmax_run(cnn_softmax *softmax, cl_mem gradient, cl_mem logits, cl_mem labels,
                           size_t slot, const cnn_pass *pass)
{
    bool weighted = pass->training && softmax->weights.mem;
    cnn_arg n = cnn_arg_int(pass->n), classes = cnn_arg_int(softmax->classes);
    cnn_arg whole = cnn_arg_float(weighted ? (float)pass->weight : (float)cnn_pass_whole(pass));
    cnn_arg at = cnn_arg_int((cl_int)slot), added = cnn_arg_int(pass->before > 0 && !pass->sliced);
    cnn_arg smoothing = cnn_arg_float(pass->training ? (float)softmax->smoothing : 0.0f);
    cnn_arg weights = cnn_arg_mem(weighted ? softmax->weights.mem : NULL);
    bool mixed = pass->training && pass->mixed;
    cnn_arg part = cnn_arg_float(mixed ? (float)pass->part : 1.0f);
    cnn_arg others = cnn_arg_int(mixed ? softmax->samples : 0);
    if (softmax->batch.handle)
        return CNN_LAUNCH_GROUPS(&softmax->batch, 1, cnn_arg_mem(softmax->losses.mem),
                                 cnn_arg_mem(softmax->hits.mem), cnn_arg_mem(softmax->bad.mem),
                                 cnn_arg_mem(gradient), cnn_arg_mem(logits), cnn_arg_mem(labels),
                                 classes, at, n, whole, added, smoothing, weights, part, others);
    cnn_status status =
        CNN_LAUNCH(&softmax->loss, cnn_kernel_items(softmax->loss.device, (size_t)pass->n),
                   cnn_arg_mem(softmax->sample_losses.mem), cnn_arg_mem(softmax->sample_hits.mem),
                   cnn_arg_mem(gradient), cnn_arg_mem(logits), cnn_arg_mem(labels), classes, n,
                   whole, smoothing, weights, part, others);
    if (status != CNN_OK)
        return status;
    return CNN_LAUNCH(&softmax->tally, 1, cnn_arg_mem(softmax->losses.mem),
                      cnn_arg_mem(softmax->hits.mem), cnn_arg_mem(softmax->bad.mem),
                      cnn_arg_mem(softmax->sample_losses.mem),
                      cnn_arg_mem(softmax->sample_hits.mem), at, n, whole, added);
}

cnn_status cnn_softmax_reserve(cnn_softmax *softmax, size_t slots)
{
    cnn_device *device = softmax->bad.device;
    cnn_buffer losses = {0}, hits = {0};
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_init(&losses, device, slots * sizeof(cl_float), "the losses"));
    CNN_TRY(cnn_buffer_init(&hits, device, slots * sizeof(cl_uint), "the hits"));
    cnn_buffer_finish(&softmax->losses);
    cnn_buffer_finish(&softmax->hits);
    softmax->losses = losses;
    softmax->hits = hits;
    softmax->slots = slots;
    return CNN_OK;
out:
    cnn_buffer_finish(&losses);
    cnn_buffer_finish(&hits);
    return status;
}

cnn_status cnn_softmax_reset(cnn_softmax *softmax)
{
    const cl_int none = -1;
    return cnn_buffer_write(&softmax->bad, 0, &none, sizeof none);
}

cnn_status cnn_softmax_read(float *losses, uint32_t *hits, int *bad, const cnn_softmax *softmax,
                            size_t first, size_t count)
{
    cl_int mark;
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_read(&mark, &softmax->bad, 0, sizeof mark));
    CNN_TRY(
        cnn_buffer_read(losses, &softmax->losses, first * sizeof *losses, count * sizeof *losses));
    CNN_TRY(cnn_buffer_read(hits, &softmax->hits, first * sizeof *hits, count * sizeof *hits));
    *bad = mark;
out:
    return status;
}
