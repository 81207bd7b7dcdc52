/* The yardsticks: cl/peak.cl at its best of some launches. */
#include <math.h>
#include <stdio.h>

#include "base/status.h"
#include "bench/bench.h"
#include "ocl/buffer.h"
#include "ocl/launch.h"

enum { UNROLL = 4 /* of peak_fma */ };

/* How the kernels are shaped: as wide as the device's vectors on a CPU, with chains that fill its
 * registers; many work-items with a few short chains on a GPU. */
typedef struct peak_shape {
    int width, chains;
    size_t items; /* of peak_fma */
} peak_shape;

static peak_shape choose_shape(const cnn_device *device)
{
    enum { CPU_CHAINS = 12, GPU_CHAINS = 4, GPU_WIDTH = 4, CPU_ITEMS = 16, GPU_ITEMS = 2048 };
    size_t units = device->info.compute_units > 0 ? device->info.compute_units : 1;
    if (device->kernel_class != CNN_KERNEL_CPU)
        return (peak_shape){GPU_WIDTH, GPU_CHAINS, units * GPU_ITEMS};
    cl_uint native = 0;
    int width = 2;
    clGetDeviceInfo(device->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof native, &native, NULL);
    while (width < 16 && 2 * (cl_uint)width <= native)
        width *= 2;
    return (peak_shape){width, CPU_CHAINS, units * CPU_ITEMS};
}

/* Seconds of the shortest launch since the records were cleared. */
static cnn_status take_best(double *seconds, cnn_profile *profile)
{
    cnn_status status = cnn_profile_collect(profile);
    uint64_t best = UINT64_MAX;
    for (size_t i = 0; i < profile->complete; i++) {
        const cnn_profile_record *record = &profile->records[i];
        uint64_t time = record->ended > record->started ? record->ended - record->started : 1;
        best = time < best ? time : best;
    }
    cnn_profile_clear(profile);
    *seconds = 1e-9 * (double)best;
    return status;
}

static cnn_status launch_fma(cnn_kernel *kernel, const peak_shape *shape, const cnn_buffer *sums,
                             int rounds)
{
    return CNN_LAUNCH(kernel, shape->items, cnn_arg_mem(sums->mem), cnn_arg_float(0.5f),
                      cnn_arg_float(1.0f), cnn_arg_int(rounds), cnn_arg_int((cl_int)shape->items));
}

/* Launches grow until one is long enough to be measured, and no longer: short ones are seldom
 * disturbed. */
static cnn_status measure_fma(double *flops, cnn_kernel *kernel, const peak_shape *shape,
                              const cnn_buffer *sums, cnn_profile *profile)
{
    static const double enough = 4e-3, total = 0.1; /* seconds of one launch, of all */
    enum { FEWEST = 3, MOST = 32, FIRST_ROUNDS = 256, MOST_ROUNDS = 1 << 24 };
    int rounds = FIRST_ROUNDS;
    double seconds = 0.0;
    cnn_status status = CNN_OK;
    CNN_TRY(launch_fma(kernel, shape, sums, rounds)); /* drivers compile at the first launch */
    CNN_TRY(take_best(&seconds, profile));
    for (seconds = 0.0; seconds < enough && rounds < MOST_ROUNDS; rounds *= 2) {
        CNN_TRY(launch_fma(kernel, shape, sums, 2 * rounds));
        CNN_TRY(take_best(&seconds, profile));
    }
    int launches = (int)fmax(FEWEST, fmin(MOST, total / seconds));
    for (int i = 0; i < launches; i++)
        CNN_TRY(launch_fma(kernel, shape, sums, rounds));
    CNN_TRY(take_best(&seconds, profile));
    *flops = 2.0 * UNROLL * rounds * shape->chains * shape->width * (double)shape->items / seconds;
out:
    return status;
}

/* Beyond every cache, but no burden on a small device. */
static size_t choose_copy_bytes(const cnn_device *device)
{
    enum { ALIGNMENT = 64 };
    const cnn_device_info *info = &device->info;
    uint64_t bytes = (uint64_t)128 << 20;
    uint64_t room = info->memory > device->allocated ? info->memory - device->allocated : 0;
    if (bytes > room / 8)
        bytes = room / 8;
    if (bytes > info->max_allocation)
        bytes = info->max_allocation;
    return bytes > ALIGNMENT ? (size_t)(bytes / ALIGNMENT * ALIGNMENT) : ALIGNMENT;
}

static cnn_status measure_copy(double *bytes, cnn_kernel *kernel, const peak_shape *shape,
                               cnn_profile *profile)
{
    enum { LAUNCHES = 6 };
    cnn_device *device = kernel->device;
    cnn_buffer target = {0}, source = {0};
    double seconds = 0.0;
    size_t size = choose_copy_bytes(device);
    size_t count = size / ((size_t)shape->width * sizeof(float));
    cnn_status status = CNN_OK;
    CNN_TRY(cnn_buffer_init(&target, device, size, "the target of a copy"));
    CNN_TRY(cnn_buffer_init(&source, device, size, "the source of a copy"));
    for (int i = 0; i < LAUNCHES; i++)
        CNN_TRY(CNN_LAUNCH(kernel, cnn_kernel_items(device, count), cnn_arg_mem(target.mem),
                           cnn_arg_mem(source.mem), cnn_arg_uint((cl_uint)count)));
    CNN_TRY(take_best(&seconds, profile));
    *bytes = 2.0 * (double)size / seconds;
out:
    cnn_buffer_finish(&source);
    cnn_buffer_finish(&target);
    return status;
}

static cnn_status measure(double *flops, double *bytes, cnn_device *device, cnn_profile *profile)
{
    peak_shape shape = choose_shape(device);
    char options[64];
    cnn_kernel fma = {0}, copy = {0};
    cnn_buffer sums = {0};
    cnn_status status = CNN_OK;
    snprintf(options, sizeof options, "-DWIDTH=%d -DCHAINS=%d", shape.width, shape.chains);
    CNN_TRY(cnn_kernel_init(&fma, device, "peak.cl", options, "peak_fma"));
    CNN_TRY(cnn_kernel_init(&copy, device, "peak.cl", options, "peak_copy"));
    CNN_TRY(cnn_buffer_init(&sums, device, shape.items * (size_t)shape.width * sizeof(float),
                            "the sums of the peak"));
    CNN_TRY(measure_fma(flops, &fma, &shape, &sums, profile));
    CNN_TRY(measure_copy(bytes, &copy, &shape, profile));
out:
    cnn_buffer_finish(&sums);
    cnn_kernel_finish(&copy);
    cnn_kernel_finish(&fma);
    return status;
}

cnn_status cnn_bench_measure_peaks(cnn_bench_summary *summary, cnn_device *device)
{
    cnn_profile profile = {0};
    double flops = 0.0, bytes = 0.0;
    cnn_status status = cnn_profile_open(&profile, device);
    if (status != CNN_OK)
        return status;
    status = measure(&flops, &bytes, device, &profile);
    cnn_profile_finish(&profile);
    if (flops > summary->peak_flops)
        summary->peak_flops = flops;
    if (bytes > summary->peak_bytes)
        summary->peak_bytes = bytes;
    return status;
}
