#include "tensor/gemm.h"

#include <clblast_c.h>

#include "base/status.h"
#include "ocl/profile.h"

/* A set of CLBlast's compile-time parameters for one of its kernels. */
typedef struct parameter_set {
    const char *kernel;
    size_t count;
    const char *names[16];
    size_t values[16];
} parameter_set;

/* For CPUs: one work-item per tile, no local memory, vectors of eight. The defaults are shaped for
 * GPUs and run at a third of the speed (docs/benchmarks.md). GEMMK 1 is left alone: CLBlast 1.5.3
 * computes wrong with it where MWG differs from NWG. */
static const parameter_set cpu_parameters[] = {
    {"Xgemm",
     16,
     {"GEMMK", "KREG", "KWG", "KWI", "MDIMA", "MDIMC", "MWG", "NDIMB", "NDIMC", "NWG", "SA", "SB",
      "STRM", "STRN", "VWM", "VWN"},
     {0, 1, 32, 2, 1, 1, 16, 1, 1, 8, 0, 0, 0, 0, 8, 4}},
    {"GemmRoutine", 1, {"XGEMM_MIN_INDIRECT_SIZE"}, {1}},
};

static cnn_status check(CLBlastStatusCode code, const char *call, const cnn_device *device)
{
    if (code == CLBlastSuccess)
        return CNN_OK;
    /* CLBlast passes OpenCL's codes through. */
    if (code > -1000)
        return cnn_opencl_check((cl_int)code, call, device);
    return cnn_fail(CNN_ERROR_OPENCL, "%s on %s: CLBlast's status %d", call, device->info.name,
                    (int)code);
}

static void clear_cache(cnn_device *device)
{
    (void)device;
    CLBlastClearCache();
}

cnn_status cnn_gemm_prepare(cnn_device *device)
{
    if (device->at_destroy)
        return CNN_OK;
    device->at_destroy = clear_cache;
    if (device->kernel_class != CNN_KERNEL_CPU)
        return CNN_OK;
    for (size_t i = 0; i < sizeof cpu_parameters / sizeof cpu_parameters[0]; i++) {
        parameter_set set = cpu_parameters[i];
        cnn_status status =
            check(CLBlastOverrideParameters(device->id, set.kernel, CLBlastPrecisionSingle,
                                            set.count, set.names, set.values),
                  "CLBlastOverrideParameters", device);
        if (status != CNN_OK)
            return status;
    }
    return CNN_OK;
}

static CLBlastTranspose transpose(bool transposed)
{
    return transposed ? CLBlastTransposeYes : CLBlastTransposeNo;
}

cnn_status cnn_gemm_scratch_bytes(size_t *bytes, cnn_device *device, const cnn_gemm_shape *shape,
                                  size_t stride_a, size_t stride_b, size_t stride_c)
{
    *bytes = 0;
    /* Offsets change nothing but whether CLBlast copies: ask for the worst case. */
    return check(CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, transpose(shape->transpose_a),
                                            transpose(shape->transpose_b), shape->m, shape->n,
                                            shape->k, 1, stride_a, 1, stride_b, 1, stride_c,
                                            &device->queue, bytes),
                 "CLBlastSGemmTempBufferSize", device);
}

cnn_status cnn_gemm(cnn_device *device, const cnn_gemm_shape *shape, cnn_matrix a, cnn_matrix b,
                    cnn_matrix c, cl_mem scratch)
{
    if (a.offset > INT32_MAX || b.offset > INT32_MAX || c.offset > INT32_MAX)
        return cnn_fail(CNN_ERROR_ARGUMENT, "a matrix product beyond 2^31 values: use a smaller "
                                            "--batch or smaller layers");
    enum { MOST_LAUNCHES = 4 }; /* up to three copies and the product */
    device->launches += MOST_LAUNCHES;
    return check(CLBlastSgemmWithTempBuffer(
                     CLBlastLayoutRowMajor, transpose(shape->transpose_a),
                     transpose(shape->transpose_b), shape->m, shape->n, shape->k, 1.0f, a.mem,
                     a.offset, a.stride, b.mem, b.offset, b.stride, 0.0f, c.mem, c.offset, c.stride,
                     &device->queue, cnn_profile_call_event(device, "CLBlastSgemm"), scratch),
                 "CLBlastSgemm", device);
}
