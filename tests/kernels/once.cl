/* A second copy of this does not compile. */
inline float once(void)
{
    return 0.5f;
}
