/* Winograd's transforms at six points, of vectors of channels. A product of polynomials, or a
 * correlation, becomes six products of values:
 *   y = A^T [(G g) .* (B^T d)],   .* element by element,
 * with d six values, g `taps` of them and y 7 - taps.
 * Source: A. Lavin, S. Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016. The
 * points here are 0, +-sqrt(1/2), +-sqrt(2) and infinity: their error in float is half of that with
 * the paper's 0, +-1, +-2 and infinity.
 *
 * Must be defined before: POINT_VECTOR, float8 or float16. */
#define POINTS 6
#define PRODUCTS (POINTS * POINTS)

/* The points +-P and +-Q: P * P = 1/2, Q * Q = 2, P * Q = 1. */
#define P 0.70710678118654752f
#define Q 1.4142135623730950f
#define P2 0.5f
#define Q2 2.0f

/* r = B^T d */
static void transform_input(POINT_VECTOR *r, POINT_VECTOR d0, POINT_VECTOR d1, POINT_VECTOR d2,
                            POINT_VECTOR d3, POINT_VECTOR d4, POINT_VECTOR d5)
{
    const POINT_VECTOR even_p = fma((POINT_VECTOR)-Q2, d2, d4);
    const POINT_VECTOR odd_p = fma((POINT_VECTOR)-Q2, d1, d3);
    const POINT_VECTOR even_q = fma((POINT_VECTOR)-P2, d2, d4);
    const POINT_VECTOR odd_q = fma((POINT_VECTOR)-P2, d1, d3);
    r[0] = fma((POINT_VECTOR)(-P2 - Q2), d2, d0 + d4);
    r[1] = fma((POINT_VECTOR)P, odd_p, even_p);
    r[2] = fma((POINT_VECTOR)-P, odd_p, even_p);
    r[3] = fma((POINT_VECTOR)Q, odd_q, even_q);
    r[4] = fma((POINT_VECTOR)-Q, odd_q, even_q);
    r[5] = fma((POINT_VECTOR)(-P2 - Q2), d3, d1 + d5);
}

/* r = G g: the polynomial of g's values at the points, each divided by the product of its point's
 * distances to the others. */
static void transform_weights(POINT_VECTOR *r, const POINT_VECTOR *g, const int taps)
{
    const float at_p = 1.0f / (2.0f * P2 * (P2 - Q2)), at_q = 1.0f / (2.0f * Q2 * (Q2 - P2));
    const int even = (taps - 1) / 2 * 2, odd = taps / 2 * 2 - 1; /* the largest exponents */
    POINT_VECTOR even_p = g[even], even_q = g[even], odd_p = g[odd], odd_q = g[odd];
    for (int k = even - 2; k >= 0; k -= 2) {
        even_p = fma((POINT_VECTOR)P2, even_p, g[k]);
        even_q = fma((POINT_VECTOR)Q2, even_q, g[k]);
    }
    for (int k = odd - 2; k >= 0; k -= 2) {
        odd_p = fma((POINT_VECTOR)P2, odd_p, g[k]);
        odd_q = fma((POINT_VECTOR)Q2, odd_q, g[k]);
    }
    r[0] = g[0];
    r[1] = fma((POINT_VECTOR)P, odd_p, even_p) * at_p;
    r[2] = fma((POINT_VECTOR)-P, odd_p, even_p) * at_p;
    r[3] = fma((POINT_VECTOR)Q, odd_q, even_q) * at_q;
    r[4] = fma((POINT_VECTOR)-Q, odd_q, even_q) * at_q;
    r[5] = g[taps - 1];
}

/* r = A^T m: 2 to 4 values. */
static void transform_output(POINT_VECTOR *r, const POINT_VECTOR *m, const int side)
{
    const POINT_VECTOR even_p = m[1] + m[2], odd_p = m[1] - m[2];
    const POINT_VECTOR even_q = m[3] + m[4], odd_q = m[3] - m[4];
    r[0] = m[0] + (even_p + even_q);
    if (side == 2) {
        r[1] = fma((POINT_VECTOR)P, odd_p, fma((POINT_VECTOR)Q, odd_q, m[5]));
        return;
    }
    r[1] = fma((POINT_VECTOR)P, odd_p, (POINT_VECTOR)Q * odd_q);
    if (side == 3) {
        r[2] = fma((POINT_VECTOR)P2, even_p, fma((POINT_VECTOR)Q2, even_q, m[5]));
        return;
    }
    r[2] = fma((POINT_VECTOR)P2, even_p, (POINT_VECTOR)Q2 * even_q);
    r[3] = fma((POINT_VECTOR)(P2 * P), odd_p, fma((POINT_VECTOR)(Q2 * Q), odd_q, m[5]));
}
