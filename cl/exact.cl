/* Arithmetic whose bits are the same on every device. OpenCL 1.2 rounds +, - and * and fma() of
 * floats correctly, and nothing else: a quotient may be 2.5 units in the last place off, a root 3.
 * With EXACT (a device of cnn_device_use_exact()) these are made here of what is rounded correctly,
 * and of integers; without, they are the device's own. The loader turns contraction off.
 *
 * With EXACT quotient() and square_root() are rounded correctly, denormals included (Markstein,
 * "Computation of elementary functions on the IBM RISC System/6000 processor", 1990: a residual by
 * fma() tells the last bit). The others are the same everywhere, and within two units in the last
 * place. Their polynomials are fits of least weighted squares at Chebyshev's nodes.
 *
 * May be defined before: REAL, WHOLE, the types of the functions, a float's and an int's vector of
 * as many lanes; AS_REAL, AS_WHOLE, TO_REAL, TO_WHOLE, their conversions. Comparisons and the ternary
 * operator take numbers and vectors alike. */
#ifdef EXACT

#ifndef REAL
#define REAL float
#define WHOLE int
#define AS_REAL as_float
#define AS_WHOLE as_int
#define TO_REAL convert_float
#define TO_WHOLE convert_int
#endif

#define MAGNITUDE 0x7fffffff /* all bits but the sign */
#define LEADING 0x00800000   /* the bit that a normal significand does not store; the least normal */
#define INFINITE 0x7f800000
#define NOT_A_NUMBER 0x7fc00000
#define ONE 0x3f800000
#define BIAS_OF_EXPONENT 127
#define PLACES 23 /* of a significand */

/* The significand, 1 to 2, of what is positive and finite, given as its bits; *exponent is its power
 * of two. A denormal is read as the integer that its bits are. */
static REAL split_exact(WHOLE bits, WHOLE *exponent)
{
    const WHOLE denormal = bits < LEADING;
    const WHOLE normal = denormal ? AS_WHOLE(TO_REAL(bits)) : bits;
    *exponent = (normal >> PLACES) - BIAS_OF_EXPONENT -
                (denormal ? (WHOLE)(BIAS_OF_EXPONENT + PLACES - 1) : (WHOLE)0);
    return AS_REAL((normal & (LEADING - 1)) | ONE);
}

/* The bits of q 2^exponent, q (0.5 to 2) with the sign of what is missing from it: below the least
 * normal number what is there and what is missing are rounded at once. */
static WHOLE join_exact(REAL q, REAL missing, WHOLE exponent)
{
    const WHOLE bits = AS_WHOLE(q), top = (bits >> PLACES) - BIAS_OF_EXPONENT + exponent;
    const WHOLE significand = (bits & (LEADING - 1)) | LEADING;
    /* Two more bits: the upper half, and whether anything is missing. */
    const WHOLE fine = 4 * significand + (missing > 0.0f ? (WHOLE)1 : (WHOLE)0) -
                       (missing < 0.0f ? (WHOLE)1 : (WHOLE)0);
    const WHOLE shift = clamp(2 - BIAS_OF_EXPONENT + 1 - top, (WHOLE)3, (WHOLE)28);
    const WHOLE kept = fine >> shift, rest = fine & (((WHOLE)1 << shift) - 1);
    const WHOLE half_way = (WHOLE)1 << (shift - 1);
    const WHOLE up = rest > half_way ? (WHOLE)1 : rest < half_way ? (WHOLE)0 : kept & 1;
    const WHOLE tiny = top < 1 - BIAS_OF_EXPONENT, huge = top > BIAS_OF_EXPONENT;
    return tiny ? kept + up : huge ? (WHOLE)INFINITE : bits + (exponent << PLACES);
}

/* a / b */
static REAL quotient(REAL a, REAL b)
{
    const WHOLE all_a = AS_WHOLE(a), all_b = AS_WHOLE(b);
    const WHOLE bits_a = all_a & MAGNITUDE, bits_b = all_b & MAGNITUDE;
    const WHOLE sign = (all_a ^ all_b) & ~MAGNITUDE;
    WHOLE exponent_a, exponent_b;
    const REAL top = split_exact(bits_a, &exponent_a), bottom = split_exact(bits_b, &exponent_b);
    /* 1 / bottom: 24/17 - 8/17 bottom is within a seventeenth; then Newton's steps. */
    REAL inverse = fma((REAL)-0.470588237f, bottom, (REAL)1.41176474f);
    for (int step = 0; step < 4; ++step)
        inverse = fma(fma(-bottom, inverse, (REAL)1.0f), inverse, inverse);
    /* The one bottom whose inverse they do not round correctly. */
    inverse = AS_WHOLE(bottom) == 0x3fffffff ? (REAL)0.500000059604644775390625f : inverse;
    REAL q = top * inverse;
    for (int step = 0; step < 2; ++step)
        q = fma(fma(-bottom, q, top), inverse, q);
    WHOLE bits = join_exact(q, fma(-bottom, q, top), exponent_a - exponent_b);
    const WHOLE none = (bits_a == 0) & (bits_b == 0), over = (bits_a == INFINITE) & (bits_b == INFINITE);
    bits = ((bits_a == 0) | (bits_b == INFINITE)) ? (WHOLE)0 : bits;
    bits = ((bits_b == 0) | (bits_a == INFINITE)) ? (WHOLE)INFINITE : bits;
    bits = (none | over | (bits_a > INFINITE) | (bits_b > INFINITE)) ? (WHOLE)NOT_A_NUMBER : bits;
    return AS_REAL(bits | sign);
}

/* x / 255, of what is a multiple of 2^-100 and below 2^100. */
static REAL of_255(REAL x)
{
    const REAL q = x * 0.00392156886f;
    return fma(fma((REAL)-255.0f, q, x), (REAL)0.00392156886f, q);
}

/* The root of x. */
static REAL square_root(REAL x)
{
    const WHOLE bits = AS_WHOLE(x);
    WHOLE exponent;
    REAL m = split_exact(bits & MAGNITUDE, &exponent);
    const WHOLE odd = exponent & 1;
    m = odd == 1 ? 2.0f * m : m; /* 1 to 4 */
    /* 1 / root(m): a line through the logarithm (the bits), then Newton's steps. */
    REAL inverse = AS_REAL(0x5f375a86 - (AS_WHOLE(m) >> 1));
    for (int step = 0; step < 3; ++step)
        inverse = inverse * fma(-0.5f * m * inverse, inverse, (REAL)1.5f);
    REAL root = m * inverse;
    const REAL half_inverse = 0.5f * inverse;
    for (int step = 0; step < 2; ++step)
        root = fma(fma(-root, root, m), half_inverse, root);
    const WHOLE made = AS_WHOLE(root) + ((exponent - odd) / 2 << PLACES);
    const WHOLE same = ((bits & MAGNITUDE) == 0) | (bits == INFINITE);
    const WHOLE wrong = ((bits < 0) & ((bits & MAGNITUDE) != 0)) | (bits > INFINITE);
    return AS_REAL(same ? bits : wrong ? (WHOLE)NOT_A_NUMBER : made);
}

#define LN2_HIGH 0.693145751953125f /* of 17 bits: its product with an exponent is exact */
#define LN2_LOW 1.42860677e-6f

/* 2^n as a float, n from -126 to 127. */
static REAL power_of_two(WHOLE n)
{
    return AS_REAL((n + BIAS_OF_EXPONENT) << PLACES);
}

/* e^x */
static REAL exponential(REAL x)
{
    const REAL bounded = clamp(x, (REAL)-104.0f, (REAL)89.0f), n = rint(bounded * 1.44269502f);
    const REAL r = fma(n, (REAL)-LN2_LOW, fma(n, (REAL)-LN2_HIGH, bounded));
    REAL p = fma((REAL)0.000199180067f, r, (REAL)0.00139462156f);
    p = fma(p, r, (REAL)0.00833326485f);
    p = fma(p, r, (REAL)0.0416662693f);
    p = fma(p, r, (REAL)0.166666672f);
    p = fma(p, r, (REAL)0.5f);
    p = fma(p * r, r, r) + 1.0f;
    const WHOLE whole = TO_WHOLE(x != x ? (REAL)0.0f : n), part = whole / 2;
    const REAL y = p * power_of_two(part) * power_of_two(whole - part);
    return x != x ? x : x > 88.8f ? AS_REAL((WHOLE)INFINITE) : y;
}

/* The natural logarithm. */
static REAL logarithm(REAL x)
{
    const WHOLE bits = AS_WHOLE(x);
    WHOLE exponent;
    REAL m = split_exact(bits & MAGNITUDE, &exponent);
    const WHOLE large = m > 1.41421354f;
    m = large ? 0.5f * m : m;
    const REAL n = TO_REAL(exponent + (large ? (WHOLE)1 : (WHOLE)0)), f = m - 1.0f;
    REAL p = fma((REAL)0.0691544712f, f, (REAL)-0.117899336f);
    p = fma(p, f, (REAL)0.118730083f);
    p = fma(p, f, (REAL)-0.123843305f);
    p = fma(p, f, (REAL)0.142186522f);
    p = fma(p, f, (REAL)-0.16669251f);
    p = fma(p, f, (REAL)0.200022265f);
    p = fma(p, f, (REAL)-0.249999866f);
    p = fma(p, f, (REAL)0.333333105f);
    const REAL square = f * f;
    p = fma(p * f, square, n * LN2_LOW);
    p = fma((REAL)-0.5f, square, p);
    const REAL y = fma(n, (REAL)LN2_HIGH, f + p);
    const WHOLE wrong = ((bits < 0) & ((bits & MAGNITUDE) != 0)) | ((bits & MAGNITUDE) > INFINITE);
    WHOLE made = (bits & MAGNITUDE) == 0 ? (WHOLE)(INFINITE | ~MAGNITUDE) : AS_WHOLE(y);
    made = bits == INFINITE ? bits : made;
    return AS_REAL(wrong ? (WHOLE)NOT_A_NUMBER : made);
}

static REAL with_sign_of(REAL size, REAL x)
{
    return AS_REAL((AS_WHOLE(size) & MAGNITUDE) | (AS_WHOLE(x) & ~MAGNITUDE));
}

static REAL hyperbolic_tangent(REAL x)
{
    const REAL size = min(fabs(x), (REAL)10.0f), square = size * size;
    REAL p = fma((REAL)0.00214753696f, square, (REAL)-0.00818267372f);
    p = fma(p, square, (REAL)0.0217029676f);
    p = fma(p, square, (REAL)-0.0539472029f);
    p = fma(p, square, (REAL)0.133332103f);
    p = fma(p, square, (REAL)-0.333333313f);
    const REAL small = fma(p * square, size, size);
    const REAL large = 1.0f - quotient((REAL)2.0f, exponential(2.0f * size) + 1.0f);
    return x != x ? x : with_sign_of(size < 0.625f ? small : large, x);
}

/* The error function: near zero by itself, else as 1 - e^-q of a polynomial q. */
static REAL error_function(REAL x)
{
    const REAL size = min(fabs(x), (REAL)4.0f), square = size * size;
    REAL p = fma((REAL)-9.68013683e-06f, square, (REAL)0.000112705449f);
    p = fma(p, square, (REAL)-0.000848471129f);
    p = fma(p, square, (REAL)0.00522107491f);
    p = fma(p, square, (REAL)-0.0268654451f);
    p = fma(p, square, (REAL)0.112837829f);
    p = fma(p, square, (REAL)-0.376126379f);
    p = fma(p, square, (REAL)0.128379166f);
    const REAL small = fma(p, size, size);
    REAL q = fma((REAL)1.69745519e-07f, size, (REAL)1.92627394e-05f);
    q = fma(q, size, (REAL)-0.00042650543f);
    q = fma(q, size, (REAL)0.00415377645f);
    q = fma(q, size, (REAL)-0.0251017623f);
    q = fma(q, size, (REAL)0.108278483f);
    q = fma(q, size, (REAL)0.633332849f);
    q = fma(q, size, (REAL)1.12952733f);
    q = fma(q, size, (REAL)-0.000178124174f);
    const REAL large = 1.0f - exponential(-q);
    return x != x ? x : with_sign_of(size < 1.0f ? small : large, x);
}

/* sum + x, one by one: Intel's compiler (2026.22) adds up loops of plain additions in an order of its
 * own. That there is one dimension it does not know. */
#define plus_in_order(sum, x) fma((x), (float)get_work_dim(), (sum))

#else
#define plus_in_order(sum, x) ((sum) + (x))
#define quotient(a, b) ((a) / (b))
#define of_255(x) ((x) / 255.0f)
#define square_root(x) sqrt(x)
#define exponential(x) exp(x)
#define logarithm(x) log(x)
#define hyperbolic_tangent(x) tanh(x)
#define error_function(x) erf(x)
#endif
