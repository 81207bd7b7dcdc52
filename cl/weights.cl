/* The weights of kept channels, packed: vectors of eight channels for each tap.
 *
 * Weights w (O, I, K, K). Must be defined before: K, TAPS (K * K). */

/* rows: eight vectors; afterwards vector i has the i-th value of each. Made of single values alone:
 * Oclgrind 21.10 dies of vectors made of vectors. */
static void turn(float8 *rows)
{
    float8 pairs[8], fours[8];
#pragma unroll
    for (int i = 0; i < 8; i += 2) {
        const float8 a = rows[i], b = rows[i + 1];
        pairs[i] = (float8)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5);
        pairs[i + 1] = (float8)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7);
    }
#pragma unroll
    for (int i = 0; i < 8; i += 1 + 2 * (i & 1)) { /* 0, 1, 4, 5 */
        const float8 a = pairs[i], b = pairs[i + 2];
        fours[i / 4 * 4 + i % 2 * 2] = (float8)(a.s0, a.s1, b.s0, b.s1, a.s4, a.s5, b.s4, b.s5);
        fours[i / 4 * 4 + i % 2 * 2 + 1] = (float8)(a.s2, a.s3, b.s2, b.s3, a.s6, a.s7, b.s6, b.s7);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float8 a = fours[i], b = fours[i + 4];
        rows[i] = (float8)(a.s0, a.s1, a.s2, a.s3, b.s0, b.s1, b.s2, b.s3);
        rows[i + 4] = (float8)(a.s4, a.s5, a.s6, a.s7, b.s4, b.s5, b.s6, b.s7);
    }
}

/* Eight channels' weights, which begin at w + from[0..7], to vectors: tap (ky, kx) to target + ky *
 * row + kx * step. */
static void gather_taps(global float *target, int row, int step, const global float *w,
                        const int *from)
{
    int tap = 0;
    for (; tap + 8 <= TAPS; tap += 8) {
        float8 values[8];
#pragma unroll
        for (int i = 0; i < 8; ++i)
            values[i] = vload8(0, w + from[i] + tap);
        turn(values);
#pragma unroll
        for (int i = 0; i < 8; ++i)
            vstore8(values[i], 0, target + (tap + i) / K * row + (tap + i) % K * step);
    }
    for (; tap < TAPS; ++tap) {
        const global float *at = w + tap;
        vstore8((float8)(at[from[0]], at[from[1]], at[from[2]], at[from[3]], at[from[4]],
                         at[from[5]], at[from[6]], at[from[7]]),
                0, target + tap / K * row + tap % K * step);
    }
}
