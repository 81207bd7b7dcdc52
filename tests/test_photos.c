/* Digits on photographs: what uneven light, sheets, lines and bars add must change little of what a
 * network sees of a clean page. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cnncl/image.h>

#include "check_main.h"
#include "drawn.h"

enum { SIDE = 360, PIXELS = SIDE * SIDE, DIGITS = 10, INPUT = 28 * 28 };

/* A picture of floats, 0 to 255, and the random numbers that it is made with. */
typedef struct photo {
    float values[PIXELS];
    uint32_t seed;
} photo;

static photo at;

static double draw_number(double low, double high)
{
    at.seed = at.seed * 1664525u + 1013904223u;
    return low + (high - low) * (at.seed >> 8) / (double)(1u << 24);
}

typedef struct direction {
    double x, y;
} direction;

static direction draw_direction(void)
{
    double angle = draw_number(0.0, 6.2831853);
    return (direction){cos(angle), sin(angle)};
}

/* How far a pixel is along a direction from the middle, in pixels. */
static double along(direction to, int i)
{
    return to.x * (i % SIDE - SIDE / 2) + to.y * (i / SIDE - SIDE / 2);
}

static void add_noise(double most)
{
    for (int i = 0; i < PIXELS; i++)
        at.values[i] += (float)(draw_number(-most, most) + draw_number(-most, most));
}

static void leave_clean(void) {}

/* From full light to a quarter of it. */
static void shade(void)
{
    direction to = draw_direction();
    double reach = SIDE / 2 * (fabs(to.x) + fabs(to.y));
    for (int i = 0; i < PIXELS; i++)
        at.values[i] *= (float)(0.625 - 0.375 * along(to, i) / reach);
    add_noise(2.0);
}

static void cast_shadow(void)
{
    direction to = draw_direction();
    double edge = draw_number(-50.0, 50.0);
    for (int i = 0; i < PIXELS; i++)
        at.values[i] *= along(to, i) > edge ? 0.58f : 0.94f;
}

static void cast_round_shadow(void)
{
    direction to = draw_direction();
    double radius = draw_number(200.0, 400.0), away = radius + draw_number(60.0, 100.0);
    for (int i = 0; i < PIXELS; i++) {
        double x = i % SIDE - SIDE / 2 - away * to.x, y = i / SIDE - SIDE / 2 - away * to.y;
        at.values[i] *= hypot(x, y) < radius ? 0.6f : 0.95f;
    }
}

static void darken_corners(void)
{
    for (int i = 0; i < PIXELS; i++) {
        double x = i % SIDE - SIDE / 2, y = i / SIDE - SIDE / 2;
        at.values[i] *= (float)(1.0 - 0.7 * (x * x + y * y) / (SIDE * SIDE / 2.0));
    }
    add_noise(2.0);
}

static void lay_on_table(void)
{
    double angle = draw_number(-0.12, 0.12), width = draw_number(95.0, 165.0),
           height = draw_number(95.0, 165.0);
    direction to = {cos(angle), sin(angle)}, down = {-sin(angle), cos(angle)};
    for (int i = 0; i < PIXELS; i++)
        if (fabs(along(to, i)) > width || fabs(along(down, i)) > height)
            at.values[i] = (float)(60.0 + 8.0 * sin(0.2 * (i / SIDE) + 0.01 * (i % SIDE)));
    add_noise(2.0);
}

static void show_edge_of_table(void)
{
    direction to = draw_direction();
    for (int i = 0; i < PIXELS; i++)
        if (along(to, i) > 110.0)
            at.values[i] = (float)(70.0 + 10.0 * sin(0.3 * (i / SIDE)));
}

static void fill(int left, int top, int right, int bottom, float value)
{
    for (int y = top < 0 ? 0 : top; y < bottom && y < SIDE; y++)
        for (int x = left < 0 ? 0 : left; x < right && x < SIDE; x++)
            at.values[y * SIDE + x] =
                value < at.values[y * SIDE + x] ? value : at.values[y * SIDE + x];
}

static void rule(void)
{
    int step = (int)draw_number(35.0, 60.0), first = (int)draw_number(0.0, 30.0);
    for (int y = first; y < SIDE; y += step)
        fill(0, y, SIDE, y + 2, 150.0f);
    add_noise(2.0);
}

static void rule_both_ways(void)
{
    int step = (int)draw_number(30.0, 50.0), first = (int)draw_number(0.0, 30.0);
    for (int place = first; place < SIDE; place += step) {
        fill(0, place, SIDE, place + 2, 160.0f);
        fill(place, 0, place + 2, SIDE, 160.0f);
    }
}

/* Paper that lies askew. */
static void rule_askew(void)
{
    double angle = draw_number(-0.3, 0.3), step = draw_number(35.0, 60.0), light = SIDE / 2 * step;
    direction down = {-sin(angle), cos(angle)};
    for (int i = 0; i < PIXELS; i++)
        if (fmod(along(down, i) + light, step) < 2.5)
            at.values[i] = fminf(at.values[i], 150.0f);
    add_noise(2.0);
}

/* Ink on a line (a point of it and its direction) from one place along it to another. */
static void draw_line(int point, direction to, double from, double end, double width)
{
    direction down = {-to.y, to.x};
    for (int i = 0; i < PIXELS; i++) {
        double place = along(to, i) - along(to, point);
        if (fabs(along(down, i) - along(down, point)) < width / 2.0 && place >= from &&
            place <= end)
            at.values[i] = fminf(at.values[i], 50.0f);
    }
}

static bool is_digit(int i)
{
    return at.values[i] < 100.0f;
}

/* A pixel of the digit that is as far as any along a direction. */
static int farthest(direction to)
{
    int best = -1;
    for (int i = 0; i < PIXELS; i++)
        if (is_digit(i) && (best < 0 || along(to, i) > along(to, best)))
            best = i;
    return best;
}

/* Touches the digit at any angle, or cuts a little of it off. */
static void draw_across(void)
{
    direction to = draw_direction(), down = {-to.y, to.x};
    int point = farthest(down);
    point -= (int)(draw_number(0.0, 9.0) * down.x) + SIDE * (int)(draw_number(0.0, 9.0) * down.y);
    draw_line(point, to, -SIDE, SIDE, draw_number(2.0, 7.0));
    add_noise(2.0);
}

static void draw_through_middle(void)
{
    draw_line(PIXELS / 2 + SIDE / 2, draw_direction(), -SIDE, SIDE, draw_number(2.0, 7.0));
}

/* From a side of the picture to the digit. */
static void draw_up_to(void)
{
    direction to = draw_direction();
    draw_line(farthest(to), to, 0.0, SIDE, draw_number(2.0, 6.0));
}

/* The digit stands on it, or beside it. */
static void draw_along_edge(void)
{
    static const direction ways[] = {{1.0, 0.0}, {0.0, 1.0}, {-1.0, 0.0}, {0.0, -1.0}};
    int way = (int)draw_number(0.0, 4.0);
    draw_line(farthest(ways[(way + 1) % 4]), ways[way], -SIDE, SIDE, draw_number(2.0, 7.0));
}

static void put_bar_at_side(void)
{
    int width = (int)draw_number(8.0, 50.0);
    if (draw_number(0.0, 1.0) < 0.5)
        fill(0, 0, SIDE, width, 30.0f);
    else
        fill(SIDE - width, 0, SIDE, SIDE, 30.0f);
}

static void put_bar_below(void)
{
    int top = (int)draw_number(300.0, 330.0), height = (int)draw_number(6.0, 20.0);
    fill(50, top, 320, top + height, 30.0f);
}

/* Bars as long as the digit is, near it. */
static void put_short_bars(void)
{
    int left = (int)draw_number(60.0, 160.0), top = (int)draw_number(60.0, 160.0);
    int width = (int)draw_number(60.0, 150.0), thick = (int)draw_number(8.0, 20.0);
    fill(left, 275, left + width, 275 + thick, 35.0f);
    fill(70, top, 70 + thick, top + width, 60.0f);
}

static void tilt_on_table(void)
{
    double angle = draw_number(0.15, 0.35), table = draw_number(30.0, 120.0);
    direction to = {cos(angle), sin(angle)}, down = {-sin(angle), cos(angle)};
    for (int i = 0; i < PIXELS; i++)
        if (fabs(along(to, i)) > 105.0 || fabs(along(down, i)) > 110.0)
            at.values[i] = (float)(table + 8.0 * sin(0.2 * (i / SIDE) + 0.05 * (i % SIDE)));
    add_noise(2.0);
}

static void frame_at(int margin, int width, float value)
{
    fill(margin, margin, SIDE - margin, margin + width, value);
    fill(margin, SIDE - margin - width, SIDE - margin, SIDE - margin, value);
    fill(margin, margin, margin + width, SIDE - margin, value);
    fill(SIDE - margin - width, margin, SIDE - margin, SIDE - margin, value);
}

static void frame_the_border(void)
{
    frame_at(0, (int)draw_number(4.0, 40.0), 40.0f);
}

static void frame_inside(void)
{
    frame_at((int)draw_number(10.0, 60.0), (int)draw_number(3.0, 10.0), 40.0f);
}

static void scatter(void)
{
    add_noise(20.0);
}

static void pale(void)
{
    for (int i = 0; i < PIXELS; i++)
        at.values[i] = 170.0f + 0.25f * at.values[i];
    add_noise(2.0);
}

static void turn_into_blackboard(void)
{
    for (int i = 0; i < PIXELS; i++)
        at.values[i] = 270.0f - at.values[i];
    add_noise(2.0);
}

static const struct {
    const char *name;
    void (*change)(void);
} conditions[] = {
    {"clean", leave_clean},
    {"a slope of light", shade},
    {"a shadow", cast_shadow},
    {"a round shadow", cast_round_shadow},
    {"dark corners", darken_corners},
    {"a sheet on a table", lay_on_table},
    {"the table's edge", show_edge_of_table},
    {"ruled paper", rule},
    {"squared paper", rule_both_ways},
    {"a bar at a side", put_bar_at_side},
    {"a bar below", put_bar_below},
    {"short bars", put_short_bars},
    {"a tilted sheet", tilt_on_table},
    {"a frame at the border", frame_the_border},
    {"a frame inside", frame_inside},
    {"noise", scatter},
    {"pencil", pale},
    {"a blackboard", turn_into_blackboard},
    {"ruled paper, askew", rule_askew},
    {"a line across", draw_across},
    {"a line through the middle", draw_through_middle},
    {"a line up to the digit", draw_up_to},
    {"a line along the edge", draw_along_edge},
};
enum { CONDITIONS = sizeof conditions / sizeof conditions[0] };

#define GREY(value)                                                                                \
    {                                                                                              \
        value, value, value, 1.0                                                                   \
    }

static void draw(int digit)
{
    static const drawn_style style = {"photo", SIDE, SIDE, 150,        0.5,
                                      0.5,     0.11, 0.1,  GREY(0.15), GREY(0.94)};
    cairo_surface_t *surface = drawn_digit(digit, &style);
    const unsigned char *data = cairo_image_surface_get_data(surface);
    for (int i = 0; i < PIXELS; i++)
        at.values[i] = data[i / SIDE * cairo_image_surface_get_stride(surface) + 4 * (i % SIDE)];
    cairo_surface_destroy(surface);
}

/* Of the picture what is from (left, top) on, width by height. */
static void convert_part(float *input, int *found, int left, int top, int width, int height)
{
    static uint8_t pixels[PIXELS];
    const int shape[3] = {1, 28, 28};
    for (int i = 0; i < width * height; i++) {
        float value = at.values[(top + i / width) * SIDE + left + i % width];
        pixels[i] = (uint8_t)(value < 0.0f ? 0.0f : value > 255.0f ? 255.0f : value);
    }
    const cnn_image image = {.shape = {1, height, width}, .pixels = pixels};
    cnn_status status = cnn_image_to_largest_digit(input, found, shape, &image);
    ck_assert_msg(status == CNN_OK, "%s", cnn_error_message());
}

static void convert(float *input, int *found)
{
    convert_part(input, found, 0, 0, SIDE, SIDE);
}

/* Of one image and another that is moved: 1 where both are the same but for their brightness, 0
 * where they have nothing in common. */
static double likeness_moved(const float *a, const float *b, int right, int down)
{
    double aa = 0.0, bb = 0.0, ab = 0.0;
    for (int i = 0; i < INPUT; i++) {
        int x = i % 28 + right, y = i / 28 + down;
        double other = x < 0 || y < 0 || x >= 28 || y >= 28 ? 0.0 : (double)b[y * 28 + x];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
        ab += (double)a[i] * other;
    }
    return ab / sqrt(aa * bb);
}

/* A pixel more or less to a side is the same to a network. */
static double likeness(const float *a, const float *b)
{
    double most = 0.0;
    for (int i = 0; i < 9; i++)
        most = fmax(most, likeness_moved(a, b, i % 3 - 1, i / 3 - 1));
    return most;
}

/* Every second digit in each condition. Under AddressSanitizer, which takes three times as long,
 * one: for its memory, and not for what is seen in it. */
#ifdef __SANITIZE_ADDRESS__
enum { STEP = DIGITS, TRIED = 1, ENOUGH = 0 };
#else
enum { STEP = 2, TRIED = DIGITS / STEP, ENOUGH = TRIED - 1 };
#endif

START_TEST(the_digit_is_found)
{
    int good = 0;
    for (int digit = 0; digit < DIGITS; digit += STEP) {
        float clean[INPUT], seen[INPUT];
        int found;
        draw(digit);
        convert(clean, &found);
        ck_assert_msg(found == 1, "a clean %d: %d pieces", digit, found);
        draw(digit);
        at.seed = (uint32_t)(_i * DIGITS + digit) * 2654435761u;
        conditions[_i].change();
        convert(seen, &found);
        double alike = likeness(clean, seen);
        good += alike > 0.85;
        if (alike <= 0.85)
            printf("%s: a %d is alike by %.2f\n", conditions[_i].name, digit, alike);
    }
    ck_assert_msg(good >= ENOUGH, "%s: %d of %d digits", conditions[_i].name, good, TRIED);
}
END_TEST

/* A picture that ends where the digit does: it touches all sides, and what it encloses does not. */
START_TEST(a_digit_may_touch_every_side)
{
    float clean[INPUT], seen[INPUT];
    int found, left = SIDE, right = 0, top = SIDE, bottom = 0;
    draw(_i);
    convert(clean, &found);
    for (int i = 0; i < PIXELS; i++) {
        int x = i % SIDE, y = i / SIDE;
        if (at.values[i] > 100.0f)
            continue;
        left = x < left ? x : left;
        right = x > right ? x : right;
        top = y < top ? y : top;
        bottom = y > bottom ? y : bottom;
    }
    convert_part(seen, &found, left, top, right + 1 - left, bottom + 1 - top);
    ck_assert_double_gt(likeness(clean, seen), 0.9);
}
END_TEST

/* A five of two strokes that do not meet: the arc reaches farther left, the bar farther right. */
static void draw_five(void)
{
    static const direction bar = {0.98, -0.17}, hook = {-0.26, 0.97},
                           steps[] = {{-0.7, 0.7}, {0.9, 0.43}, {-0.6, 0.8}};
    static const double lengths[] = {65.0, 75.0, 70.0};
    double x = 150.0, y = 150.0;
    for (int i = 0; i < PIXELS; i++)
        at.values[i] = 240.0f;
    draw_line(SIDE * 95 + 180, bar, 0.0, 115.0, 18.0);
    draw_line(SIDE * 95 + 180, hook, -8.0, 45.0, 18.0);
    for (int i = 0; i < 3; i++) {
        draw_line(SIDE * (int)y + (int)x, steps[i], -8.0, lengths[i] + 8.0, 18.0);
        x += lengths[i] * steps[i].x;
        y += lengths[i] * steps[i].y;
    }
}

/* _i: how much a side of the picture cuts off, in pixels: of the arc at the left, then of the bar.
 */
START_TEST(the_border_cuts_a_stroke_that_the_others_do_not_touch)
{
    float whole[INPUT], seen[INPUT];
    int found, left = SIDE, right = 0, cut = 2 * (_i / 2);
    draw_five();
    convert(whole, &found);
    ck_assert_int_eq(found, 1);
    for (int i = 0; i < PIXELS; i++) {
        left = is_digit(i) && i % SIDE < left ? i % SIDE : left;
        right = is_digit(i) && i % SIDE > right ? i % SIDE : right;
    }
    if (_i % 2 == 0)
        convert_part(seen, &found, left + cut, 20, SIDE - left - cut, SIDE - 40);
    else
        convert_part(seen, &found, 0, 20, right + 1 - cut, SIDE - 40);
    ck_assert_int_eq(found, 1);
    ck_assert_double_gt(likeness(whole, seen), 0.85);
}
END_TEST

/* _i: at which height the next digit, of which the border at the right leaves an angle, begins
 * beside a seven. */
START_TEST(the_next_digit_is_left_out)
{
    enum { BEGIN = 290, END = 330 };
    static const direction bar = {1.0, 0.0}, leg = {-0.35, 0.94}, up = {0.78, -0.62},
                           down = {0.78, 0.62};
    float whole[INPUT], seen[INPUT];
    int found;
    for (int i = 0; i < PIXELS; i++)
        at.values[i] = 240.0f;
    draw_line(SIDE * 110 + 150, bar, 0.0, 110.0, 18.0);
    draw_line(SIDE * 110 + 260, leg, -9.0, 160.0, 18.0);
    convert_part(whole, &found, 0, 20, BEGIN - 8, SIDE - 40);
    draw_line(SIDE * (120 + 30 * _i) + BEGIN, up, -5.0, 80.0, 12.0);
    draw_line(SIDE * (120 + 30 * _i) + BEGIN, down, -5.0, 80.0, 12.0);
    convert_part(seen, &found, 0, 20, END, SIDE - 40);
    ck_assert_double_gt(likeness(whole, seen), 0.95);
}
END_TEST

/* Two digits side by side, the left one larger: that one is read, and both are counted. */
START_TEST(several_digits_are_counted)
{
    static float one[PIXELS];
    float alone[INPUT], seen[INPUT];
    int found;
    draw(2);
    convert(alone, &found);
    for (int i = 0; i < PIXELS; i++)
        one[i] = at.values[i];
    for (int i = 0; i < PIXELS; i++)
        at.values[i] = 240.0f;
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE - 90; x++)
            at.values[y * SIDE + x] = one[y * SIDE + x + 90];
    for (int y = 0; y < 100; y++)
        for (int x = 0; x < 20; x++)
            at.values[(130 + y) * SIDE + 280 + x + y / 10] = 40.0f;
    convert(seen, &found);
    ck_assert_int_eq(found, 2);
    ck_assert_double_gt(likeness(alone, seen), 0.9);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("photos");
    TCase *tests = tcase_create("photos");
    suite_add_tcase(suite, tests);
    tcase_set_timeout(tests, 0);
    tcase_add_loop_test(tests, the_digit_is_found, 0, CONDITIONS);
    tcase_add_loop_test(tests, a_digit_may_touch_every_side, 0, DIGITS);
    tcase_add_loop_test(tests, the_border_cuts_a_stroke_that_the_others_do_not_touch, 0, 6);
    tcase_add_loop_test(tests, the_next_digit_is_left_out, 0, 3);
    tcase_add_test(tests, several_digits_are_counted);
    return run_suite(suite);
}
