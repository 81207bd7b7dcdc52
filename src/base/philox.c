#include "base/philox.h"

#include <cnncl/random.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/status.h"

enum { ROUNDS = 10 };

void cnn_philox(uint32_t words[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t product0 = (uint64_t)0xD2511F53u * c0;
        uint64_t product1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t next0 = (uint32_t)(product1 >> 32) ^ c1 ^ k0;
        uint32_t next2 = (uint32_t)(product0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)product1;
        c3 = (uint32_t)product0;
        c0 = next0;
        c2 = next2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}

void cnn_philox_block(uint32_t words[4], uint64_t seed, cnn_stream stream, unsigned layer,
                      uint64_t step, uint32_t block)
{
    const uint32_t counter[4] = {block, (uint32_t)stream << 16 | layer, (uint32_t)step,
                                 (uint32_t)(step >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    cnn_philox(words, counter, key);
}

uint32_t cnn_philox_value(uint64_t seed, cnn_stream stream, unsigned layer, uint64_t step,
                          uint64_t index)
{
    uint32_t words[4];
    cnn_philox_block(words, seed, stream, layer, step, (uint32_t)(index / CNN_PHILOX_LANES));
    return words[index % CNN_PHILOX_LANES];
}

void cnn_philox_permutation(uint32_t *order, uint32_t count, uint64_t seed, cnn_stream stream,
                            unsigned layer, uint64_t step)
{
    for (uint32_t i = 0; i < count; i++)
        order[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint64_t value = cnn_philox_value(seed, stream, layer, step, i);
        /* A 32-bit value scaled to i places: a bias below i / 2^32. */
        uint32_t other = (uint32_t)(value * i >> 32);
        uint32_t kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
}

void cnn_random_uniform(float *values, size_t count, uint64_t seed)
{
    if (!values)
        return;
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(cnn_philox_value(seed, CNN_STREAM_USER, 0, 0, i) >> 8) * 0x1p-24f;
}

cnn_status cnn_random_choice(size_t *indices, size_t count, size_t total, uint64_t seed)
{
    CNN_NEED(indices);
    if (count > total || total > UINT32_MAX)
        return cnn_fail(CNN_ERROR_ARGUMENT, "cannot choose %zu different ones of %zu", count,
                        total);
    uint32_t *order;
    cnn_status status = cnn_allocate(&order, total, sizeof *order, "a random choice");
    if (status != CNN_OK)
        return status;
    cnn_philox_permutation(order, (uint32_t)total, seed, CNN_STREAM_USER, 1, 0);
    for (size_t i = 0; i < count; i++)
        indices[i] = order[i];
    free(order);
    return CNN_OK;
}
