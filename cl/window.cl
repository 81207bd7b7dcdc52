/* Max pool and ReLU of a window's four sums in an evaluation, eight channels at once: which of the
 * four is the largest is not asked. A NaN stays one. */
static float8 larger_sum(float8 a, float8 b)
{
    const int8 larger = (a < b) | (b != b);
    return larger ? b : a;
}

static float8 largest_sum(float8 a, float8 b, float8 c, float8 d)
{
    return larger_sum(larger_sum(a, b), larger_sum(c, d));
}

static float8 positive(float8 sum)
{
    return sum < (float8)0.0f ? (float8)0.0f : sum;
}
