#include "tensor/gemm.h"

#include <clblast_c.h>
#include <string.h>

#include "base/size.h"
#include "base/status.h"
#include "ocl/profile.h"
#include "tensor/tuning.h"

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

#define TEXT(number) #number
#define DOTTED(major, minor, patch) TEXT(major) "." TEXT(minor) "." TEXT(patch)

const char *cnn_gemm_library_version(void)
{
    return DOTTED(CLBLAST_VERSION_MAJOR, CLBLAST_VERSION_MINOR, CLBLAST_VERSION_PATCH);
}

static cnn_status override(cnn_device *device, const cnn_gemm_part_kind *part, const size_t *values)
{
    const char *names[CNN_GEMM_MOST_PARAMETERS]; /* CLBlast wants them not to be constant */
    memcpy(names, part->names, sizeof names);
    return check(CLBlastOverrideParameters(device->id, part->kernel, CLBlastPrecisionSingle,
                                           (size_t)part->count, names, values),
                 "CLBlastOverrideParameters", device);
}

/* The copies around a product, in groups of 64: CLBlast's own values go up to 256. */
static cnn_status use_small_copies(cnn_device *device)
{
    static const struct {
        cnn_gemm_part_kind kind;
        size_t values[4];
    } copies[] = {
        {{"Copy", 4, {"COPY_DIMX", "COPY_DIMY", "COPY_VW", "COPY_WPT"}}, {8, 8, 1, 1}},
        {{"Pad", 4, {"PAD_DIMX", "PAD_DIMY", "PAD_WPTX", "PAD_WPTY"}}, {8, 8, 1, 1}},
        {{"Transpose", 4, {"TRA_DIM", "TRA_PAD", "TRA_SHUFFLE", "TRA_WPT"}}, {8, 1, 0, 1}},
        {{"Padtranspose", 3, {"PADTRA_PAD", "PADTRA_TILE", "PADTRA_WPT"}}, {1, 8, 1}},
    };
    cnn_status status = CNN_OK;
    for (size_t i = 0; status == CNN_OK && i < sizeof copies / sizeof copies[0]; i++)
        status = override(device, &copies[i].kind, copies[i].values);
    return status;
}

cnn_status cnn_gemm_use(cnn_device *device, const cnn_gemm_tuning *tuning)
{
    cnn_status status = CNN_OK;
    device->at_destroy = clear_cache;
    if (cnn_gemm_wants_small_groups(device))
        status = use_small_copies(device);
    for (int i = 0; status == CNN_OK && i < CNN_GEMM_PARTS; i++)
        if (tuning->given[i])
            status = override(device, &cnn_gemm_parts[i], tuning->values[i]);
    return status;
}

static CLBlastTranspose transpose(bool transposed)
{
    return transposed ? CLBlastTransposeYes : CLBlastTransposeNo;
}

/* The products of a sum that CLBlast makes one after the other; sums of more are made of the next
 * such blocks. Rounding grows with the root of the blocks' length and number, not of the sum's
 * (Higham, "Accuracy and Stability of Numerical Algorithms", 2002, section 4.2). */
enum { BLOCK = 1024, LONGEST = 2 * BLOCK };

/* Products of each block of a sum of k, but the last. */
static size_t block_of(size_t k)
{
    return k <= LONGEST ? k : cnn_divide_up(k, cnn_divide_up(k, BLOCK));
}

double cnn_gemm_sum_length(size_t k)
{
    size_t block = block_of(k);
    return (double)block + (double)(block < k ? cnn_divide_up(k, block) : 0);
}

cnn_status cnn_gemm_scratch_bytes(size_t *bytes, cnn_device *device, const cnn_gemm_shape *shape,
                                  size_t stride_a, size_t stride_b, size_t stride_c)
{
    size_t block = block_of(shape->k), rest = shape->k % block;
    const size_t lengths[] = {block, rest > 0 ? rest : block};
    cnn_status status = CNN_OK;
    *bytes = 0;
    for (int i = 0; status == CNN_OK && i < 2; i++) {
        size_t some = 0;
        /* Offsets change nothing but whether CLBlast copies: ask for the worst case. */
        status = check(CLBlastSGemmTempBufferSize(
                           CLBlastLayoutRowMajor, transpose(shape->transpose_a),
                           transpose(shape->transpose_b), shape->m, shape->n, lengths[i], 1,
                           stride_a, 1, stride_b, 1, stride_c, &device->queue, &some),
                       "CLBlastSGemmTempBufferSize", device);
        *bytes = some > *bytes ? some : *bytes;
    }
    return status;
}

/* C = op(A) * op(B), or C += where it adds; of one block of the sums. */
static cnn_status multiply(cnn_device *device, const cnn_gemm_shape *shape, cnn_matrix a,
                           cnn_matrix b, cnn_matrix c, cl_mem scratch, bool adds)
{
    enum { MOST_LAUNCHES = 4 }; /* up to three copies and the product */
    device->launches += MOST_LAUNCHES;
    return check(
        CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, transpose(shape->transpose_a),
                                   transpose(shape->transpose_b), shape->m, shape->n, shape->k,
                                   1.0f, a.mem, a.offset, a.stride, b.mem, b.offset, b.stride,
                                   adds ? 1.0f : 0.0f, c.mem, c.offset, c.stride, &device->queue,
                                   cnn_profile_call_event(device, "CLBlastSgemm"), scratch),
        "CLBlastSgemm", device);
}

cnn_status cnn_gemm(cnn_device *device, const cnn_gemm_shape *shape, cnn_matrix a, cnn_matrix b,
                    cnn_matrix c, cl_mem scratch)
{
    if (a.offset > INT32_MAX || b.offset > INT32_MAX || c.offset > INT32_MAX)
        return cnn_fail(CNN_ERROR_ARGUMENT, "a matrix product beyond 2^31 values: use a smaller "
                                            "--batch or smaller layers");
    size_t block = block_of(shape->k);
    cnn_gemm_shape some = *shape;
    cnn_status status = CNN_OK;
    for (size_t done = 0; status == CNN_OK && done < shape->k; done += some.k) {
        some.k = shape->k - done < block ? shape->k - done : block;
        status = multiply(device, &some, a, b, c, scratch, done > 0);
        a.offset += shape->transpose_a ? some.k * a.stride : some.k;
        b.offset += shape->transpose_b ? some.k : some.k * b.stride;
    }
    return status;
}
