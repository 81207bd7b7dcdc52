#include "loop_a.cl"
