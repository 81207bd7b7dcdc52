/* The built-in functions that kernels call, with the attributes that clang's opencl-c.h gives them.
 * pocl reads that header, 18,000 lines, for every program, before it looks into its cache: 38 of the 50 ms
 * that a program takes from a warm one. `-D_OPENCL_H_ -DOWN_BUILTINS` has these instead (src/ocl/program.c).
 * Of each function there are all overloads for integers and float, so that a call means the same;
 * tests/check_kernels_with_clang.py compares what comes of both. */
#ifdef OWN_BUILTINS
/* Everything here begins with BUILTIN: options and kernels have names of their own. */
#define BUILTIN_ANY __attribute__((overloadable))
#define BUILTIN_CONST __attribute__((overloadable, const))
#define BUILTIN_PURE __attribute__((overloadable, pure))

#define BUILTIN_WIDTHS(DECLARE, ...) \
    DECLARE(, __VA_ARGS__) DECLARE(2, __VA_ARGS__) DECLARE(3, __VA_ARGS__) \
    DECLARE(4, __VA_ARGS__) DECLARE(8, __VA_ARGS__) DECLARE(16, __VA_ARGS__)
#define BUILTIN_VECTORS(DECLARE, ...) \
    DECLARE(2, __VA_ARGS__) DECLARE(3, __VA_ARGS__) DECLARE(4, __VA_ARGS__) \
    DECLARE(8, __VA_ARGS__) DECLARE(16, __VA_ARGS__)
/* Each type of integers, its signed and its unsigned one. */
#define BUILTIN_INTEGERS(DECLARE) \
    DECLARE(char, char, uchar) DECLARE(uchar, char, uchar) \
    DECLARE(short, short, ushort) DECLARE(ushort, short, ushort) \
    DECLARE(int, int, uint) DECLARE(uint, int, uint) \
    DECLARE(long, long, ulong) DECLARE(ulong, long, ulong)
#define BUILTIN_TYPES(DECLARE) BUILTIN_INTEGERS(DECLARE) DECLARE(float, int, uint)

uint BUILTIN_CONST get_work_dim(void);
size_t BUILTIN_CONST get_global_id(uint);
size_t BUILTIN_CONST get_global_size(uint);
size_t BUILTIN_CONST get_local_id(uint);
size_t BUILTIN_CONST get_local_size(uint);
size_t BUILTIN_CONST get_group_id(uint);
void BUILTIN_ANY __attribute__((convergent)) barrier(cl_mem_fence_flags);

#define BUILTIN_OF_ONE(n, name) float##n BUILTIN_CONST name(float##n);
#define BUILTIN_IS(n, name) int##n BUILTIN_CONST name(float##n);
#define BUILTIN_OF_THREE(n, name) float##n BUILTIN_CONST name(float##n, float##n, float##n);
BUILTIN_WIDTHS(BUILTIN_OF_ONE, erf)
BUILTIN_WIDTHS(BUILTIN_OF_ONE, exp)
BUILTIN_WIDTHS(BUILTIN_OF_ONE, fabs)
BUILTIN_WIDTHS(BUILTIN_OF_ONE, floor)
BUILTIN_WIDTHS(BUILTIN_OF_ONE, log)
BUILTIN_WIDTHS(BUILTIN_OF_ONE, rint)
BUILTIN_WIDTHS(BUILTIN_OF_ONE, sqrt)
BUILTIN_WIDTHS(BUILTIN_OF_ONE, tanh)
BUILTIN_WIDTHS(BUILTIN_IS, isfinite)
BUILTIN_WIDTHS(BUILTIN_IS, isnan)
BUILTIN_WIDTHS(BUILTIN_OF_THREE, fma)

#define BUILTIN_ORDERED(n, type) \
    type##n BUILTIN_CONST min(type##n, type##n); \
    type##n BUILTIN_CONST max(type##n, type##n); \
    type##n BUILTIN_CONST clamp(type##n, type##n, type##n);
#define BUILTIN_ORDERED_SCALAR(n, type) \
    type##n BUILTIN_CONST min(type##n, type); \
    type##n BUILTIN_CONST max(type##n, type); \
    type##n BUILTIN_CONST clamp(type##n, type, type);
#define BUILTIN_SELECTED(n, type, mask) type##n BUILTIN_CONST select(type##n, type##n, mask##n);
#define BUILTIN_COUNTED(n, type) type##n BUILTIN_CONST clz(type##n);
#define BUILTIN_ALL_ORDERED(type, number, bits) \
    BUILTIN_WIDTHS(BUILTIN_ORDERED, type) \
    BUILTIN_VECTORS(BUILTIN_ORDERED_SCALAR, type) BUILTIN_WIDTHS(BUILTIN_SELECTED, type, number) BUILTIN_WIDTHS(BUILTIN_SELECTED, type, bits)
#define BUILTIN_ALL_COUNTED(type, number, bits) BUILTIN_WIDTHS(BUILTIN_COUNTED, type)
BUILTIN_TYPES(BUILTIN_ALL_ORDERED)
BUILTIN_INTEGERS(BUILTIN_ALL_COUNTED)

#define BUILTIN_CONVERTED(type, number, bits) \
    float BUILTIN_CONST convert_float(type); \
    float16 BUILTIN_CONST convert_float16(type##16); \
    int BUILTIN_CONST convert_int(type); \
    int8 BUILTIN_CONST convert_int8(type##8); \
    int16 BUILTIN_CONST convert_int16(type##16); \
    uchar8 BUILTIN_CONST convert_uchar8(type##8); \
    uint8 BUILTIN_CONST convert_uint8(type##8); \
    ulong8 BUILTIN_CONST convert_ulong8(type##8);
BUILTIN_TYPES(BUILTIN_CONVERTED)

#define BUILTIN_LOADED_FROM(n, type, space) type##n BUILTIN_PURE vload##n(size_t, const space type *);
#define BUILTIN_STORED_TO(n, type, space) void BUILTIN_ANY vstore##n(type##n, size_t, space type *);
#define BUILTIN_LOADED(n, type) \
    BUILTIN_LOADED_FROM(n, type, constant) \
    BUILTIN_LOADED_FROM(n, type, global) BUILTIN_LOADED_FROM(n, type, local) BUILTIN_LOADED_FROM(n, type, private)
#define BUILTIN_STORED(n, type) \
    BUILTIN_STORED_TO(n, type, global) BUILTIN_STORED_TO(n, type, local) BUILTIN_STORED_TO(n, type, private)
#define BUILTIN_MOVED(type, number, bits) \
    BUILTIN_LOADED(4, type) BUILTIN_LOADED(8, type) BUILTIN_LOADED(16, type) \
    BUILTIN_STORED(4, type) BUILTIN_STORED(8, type) BUILTIN_STORED(16, type)
BUILTIN_TYPES(BUILTIN_MOVED)
#endif
