/* The weights of kept channels, packed: vectors of eight channels for each tap.
 *
 * Weights w (O, I, K, K). Must be defined before: K, TAPS (K * K). */

/* rows: eight vectors; afterwards vector i has the i-th value of each. (Value by value: Oclgrind
 * 21.10 ends with a vector that is made of halves.) */
static void turn(float8 *r)
{
    float8 a[8], b[8];
#pragma unroll
    for (int i = 0; i < 8; i += 2) { /* pairs of rows */
        a[i] = (float8)(r[i].s0, r[i + 1].s0, r[i].s1, r[i + 1].s1, r[i].s4, r[i + 1].s4, r[i].s5,
                        r[i + 1].s5);
        a[i + 1] = (float8)(r[i].s2, r[i + 1].s2, r[i].s3, r[i + 1].s3, r[i].s6, r[i + 1].s6,
                            r[i].s7, r[i + 1].s7);
    }
#pragma unroll
    for (int i = 0; i < 8; i += 4) /* fours */
#pragma unroll
        for (int j = 0; j < 2; ++j) {
            const float8 low = a[i + j], high = a[i + j + 2];
            b[i + 2 * j] =
                (float8)(low.s0, low.s1, high.s0, high.s1, low.s4, low.s5, high.s4, high.s5);
            b[i + 2 * j + 1] =
                (float8)(low.s2, low.s3, high.s2, high.s3, low.s6, low.s7, high.s6, high.s7);
        }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float8 low = b[i], high = b[i + 4];
        r[i] = (float8)(low.s0, low.s1, low.s2, low.s3, high.s0, high.s1, high.s2, high.s3);
        r[i + 4] = (float8)(low.s4, low.s5, low.s6, low.s7, high.s4, high.s5, high.s6, high.s7);
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
