/* Times in ns, kept to about 1 % whatever their number. */
#include <stdint.h>
#include <time.h>

#define PARTS 64
typedef struct { long counts[64 * PARTS]; long total; int64_t largest; } Histogram;

static inline int64_t clock_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static inline void note(Histogram *h, int64_t value) {
    if (value < 1) value = 1;
    int high = 63 - __builtin_clzll(value), place;
    if (high < 6) place = value;
    else place = (high - 5) * PARTS + ((value >> (high - 6)) & (PARTS - 1));
    h->counts[place]++;
    h->total++;
    if (value > h->largest) h->largest = value;
}

static inline double rank(const Histogram *h, double share) {
    long seen = 0;
    for (int place = 0; place < 64 * PARTS; place++) {
        seen += h->counts[place];
        if (h->counts[place] && seen >= share * h->total) {
            if (place < PARTS) return place;
            int high = place / PARTS + 5;
            return (double)((int64_t)(PARTS + place % PARTS) << (high - 6)) * (1 + 0.5 / PARTS);
        }
    }
    return 0;
}
