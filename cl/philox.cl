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
