#include "image/samples.h"

#include "base/status.h"

enum { BYTE = 255, WIDE = 65535, WIDE_BITS = 16, ALPHA = 2 };

/* What one sample in `faint` of all that are visible may be without counting. */
enum { FAINT = 1000 };
static const double visible = 0.3; /* of white to black: less vanishes on white */

static bool has_alpha(const cnn_samples *samples)
{
    return samples->channels % ALPHA == 0;
}

static unsigned sample_at(const cnn_samples *samples, size_t index)
{
    const uint8_t *at = samples->bytes + (samples->wide ? 2 * index : index);
    return samples->wide ? (unsigned)at[0] << 8 | at[1] : at[0];
}

/* The bits that samples of 16 have in these data, by the largest; 0: they are bytes. */
static int bits_of(const cnn_samples *samples, size_t pixels)
{
    static const int depths[] = {8, 10, 12};
    size_t channels = (size_t)samples->channels, colors = channels - has_alpha(samples);
    unsigned most = 0;
    if (!samples->wide)
        return 0;
    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < colors; c++) {
            unsigned sample = sample_at(samples, i * channels + c);
            most = sample > most ? sample : most;
        }
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++)
        if (most < 1u << depths[i])
            return depths[i];
    return WIDE_BITS;
}

/* The largest value that a sample has in these data, or in those of its set. */
static unsigned range_of(int bits, const cnn_encoded *from)
{
    if (bits == 0)
        return BYTE;
    if (bits < from->bits)
        bits = from->bits;
    if (bits < WIDE_BITS && bits != from->bits)
        cnn_log(CNN_LOG_INFO, "%s: no sample of 16 bits is above %u: taken as %d bits",
                from->source, (1u << bits) - 1u, bits);
    return (1u << bits) - 1u;
}

/* How much darker than white the darkest channel of a pixel is, 0 to 1, and how opaque it is. */
static double darkness_of(double *opacity, const cnn_samples *samples, size_t pixel, unsigned range)
{
    size_t channels = (size_t)samples->channels, alpha = channels - 1;
    unsigned least = range;
    for (size_t c = 0; c < alpha; c++) {
        unsigned sample = sample_at(samples, pixel * channels + c);
        least = sample < least ? sample : least;
    }
    *opacity = (double)sample_at(samples, pixel * channels + alpha) / (samples->wide ? WIDE : BYTE);
    return 1.0 - (double)least / range;
}

/* The brightness behind what is transparent, 0 to 1. */
static double ground_of(const cnn_samples *samples, size_t pixels, unsigned range,
                        const char *source)
{
    double seen = 0.0, dark = 0.0, hidden = 0.0;
    if (!has_alpha(samples))
        return 1.0;
    for (size_t i = 0; i < pixels; i++) {
        double opacity, darkness = darkness_of(&opacity, samples, i, range);
        seen += opacity;
        hidden += 1.0 - opacity;
        dark += darkness * opacity > visible ? opacity : 0.0;
    }
    if (seen == 0.0 || hidden * FAINT < (double)pixels || dark * FAINT > seen)
        return 1.0;
    cnn_log(CNN_LOG_INFO, "%s: bright ink on transparency: laid on black", source);
    return 0.0;
}

void cnn_samples_to_picture(cnn_picture *picture, const cnn_samples *samples,
                            const cnn_encoded *from)
{
    size_t pixels = (size_t)picture->width * (size_t)picture->height;
    size_t channels = (size_t)samples->channels, colors = channels - has_alpha(samples);
    picture->bits = bits_of(samples, pixels);
    unsigned range = range_of(picture->bits, from);
    double ground = ground_of(samples, pixels, range, from->source) * BYTE;
    double most = samples->wide ? WIDE : BYTE;
    for (size_t i = 0; i < pixels; i++) {
        double opacity =
            has_alpha(samples) ? sample_at(samples, i * channels + colors) / most : 1.0;
        for (size_t c = 0; c < CNN_PICTURE_CHANNELS; c++) {
            unsigned sample = sample_at(samples, i * channels + (colors > 1 ? c : 0));
            double value = (double)sample * BYTE / range;
            picture->pixels[c * pixels + i] =
                (uint8_t)(opacity * value + (1.0 - opacity) * ground + 0.5);
        }
    }
}
