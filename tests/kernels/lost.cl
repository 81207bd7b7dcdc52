#include "once.cl"
#include "not_there.cl"
