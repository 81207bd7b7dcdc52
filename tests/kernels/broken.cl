#include "once.cl"

__kernel void broken(__global float *y)
{
    y[0] = undeclared_value;
}
