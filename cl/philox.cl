/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC'11): the same
 * function as src/base/philox.c. Not with mul_hi(), which some drivers make of four products. */

static uint4 philox(uint4 counter, uint2 key)
{
    for (int round = 0; round < 10; ++round) {
        const ulong product0 = 0xD2511F53ul * counter.x, product1 = 0xCD9E8D57ul * counter.z;
        counter = (uint4)((uint)(product1 >> 32) ^ counter.y ^ key.x, (uint)product1,
                          (uint)(product0 >> 32) ^ counter.w ^ key.y, (uint)product0);
        key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
    }
    return counter;
}

/* The same of eight counters, of which words[0..3] have the words: what processors have vectors for. */
static void philox_eight(uint8 words[4], uint2 key)
{
    for (int round = 0; round < 10; ++round) {
        const ulong8 product0 = (ulong8)0xD2511F53ul * convert_ulong8(words[0]);
        const ulong8 product1 = (ulong8)0xCD9E8D57ul * convert_ulong8(words[2]);
        words[0] = convert_uint8(product1 >> (ulong8)32) ^ words[1] ^ (uint8)key.x;
        words[1] = convert_uint8(product1);
        words[2] = convert_uint8(product0 >> (ulong8)32) ^ words[3] ^ (uint8)key.y;
        words[3] = convert_uint8(product0);
        key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
    }
}
