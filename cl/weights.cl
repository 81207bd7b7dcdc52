/* The weights of kept channels, packed: vectors of eight channels for each tap.
 *
 * Weights w (O, I, K, K). Must be defined before: K, TAPS (K * K). */

/* rows: eight vectors; afterwards vector i has the i-th value of each. */
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
            b[i + 2 * j] = (float8)(low.s01, high.s01, low.s45, high.s45);
            b[i + 2 * j + 1] = (float8)(low.s23, high.s23, low.s67, high.s67);
        }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        r[i] = (float8)(b[i].lo, b[i + 4].lo);
        r[i + 4] = (float8)(b[i].hi, b[i + 4].hi);
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
