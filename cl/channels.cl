/* Eight consecutive channels of one pixel, where the last vector of a row may be short. c steps by
 * eight or within blocks of sixteen, so that the guard vanishes where `channels` is a constant and a
 * multiple of sixteen. */

/* Channels c to c + 7 of row (channels); zeros beyond the last. */
static float8 load_channels(const global float *row, int c, int channels)
{
    if (channels % 16 == 0 || c + 8 <= channels)
        return vload8(0, row + c);
    float values[8];
    for (int i = 0; i < 8; ++i)
        values[i] = c + i < channels ? row[c + i] : 0.0f;
    return vload8(0, values);
}

static void store_channels(float8 value, global float *row, int c, int channels)
{
    if (channels % 16 == 0 || c + 8 <= channels) {
        vstore8(value, 0, row + c);
        return;
    }
    float values[8];
    vstore8(value, 0, values);
    for (int i = 0; i < 8; ++i)
        if (c + i < channels)
            row[c + i] = values[i];
}

/* The same for sixteen channels; c steps by sixteen. */
static float16 load_wide(const global float *row, int c, int channels)
{
    if (channels % 16 == 0 || c + 16 <= channels)
        return vload16(0, row + c);
    float values[16];
    for (int i = 0; i < 16; ++i)
        values[i] = c + i < channels ? row[c + i] : 0.0f;
    return vload16(0, values);
}

static void store_wide(float16 value, global float *row, int c, int channels)
{
    if (channels % 16 == 0 || c + 16 <= channels) {
        vstore16(value, 0, row + c);
        return;
    }
    float values[16];
    vstore16(value, 0, values);
    for (int i = 0; i < 16; ++i)
        if (c + i < channels)
            row[c + i] = values[i];
}
