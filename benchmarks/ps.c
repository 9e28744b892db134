/* The loop that `benchmarks kernels` compares with: Poisson arrivals, exponential demands, one pod of CORES cores shared by all inside.
   The same draws by request number, virtual time, binary heap, integrals and histogram as the compiled batches of the data plane.
   Usage: ps REQUESTS RATE CORES; prints seconds of CPU, requests ended and the sum of their latencies. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GOLDEN 0x9E3779B97F4A7C15ULL
static const uint64_t ARRIVAL = 0xC414EE4622817A92ULL, CPU = 0xF5A8FA190CB314C9ULL, BASE = 0x543EBB6153E95A37ULL;

static inline uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
}
static inline double unit(uint64_t key, uint64_t purpose) {
    return ((double)(mix((key ^ purpose) + GOLDEN) >> 12) + 0.5) * 0x1p-52;
}

typedef struct { double tag, arrived; } Burst;
static Burst heap[1 << 16];
static long histogram[4096];

static void push(long n, Burst x) {
    while (n > 0) {
        long up = (n - 1) >> 1;
        if (heap[up].tag <= x.tag) break;
        heap[n] = heap[up];
        n = up;
    }
    heap[n] = x;
}
static void pop(long n) {
    Burst x = heap[--n];
    long i = 0;
    for (;;) {
        long down = 2 * i + 1;
        if (down >= n) break;
        if (down + 1 < n && heap[down + 1].tag < heap[down].tag) down++;
        if (x.tag <= heap[down].tag) break;
        heap[i] = heap[down];
        i = down;
    }
    heap[i] = x;
}
static int bucket(double x) {
    int e;
    if (x < 0x1p-17) return 0;
    if (x >= 0x1p15) return 4095;
    double y = frexp(x, &e);
    return 128 * (e + 16) + (int)(256.0 * (y - 0.5));
}

int main(int argc, char **argv) {
    long requests = atol(argv[1]), k = 0, n = 0, ended = 0;
    double rate = atof(argv[2]), cores = atof(argv[3]), area = 0, at = 0, v = 0, speed = 0, share = 0, ends = INFINITY;
    double request_s = 0, cpu_s = 0, latency = 0;
    clock_t begin = clock();
    uint64_t key = mix(BASE + GOLDEN);
    area = -log(unit(key, ARRIVAL));
    double arrives = area / rate;
    while (ended < requests) {
        double t = ends <= arrives ? ends : arrives, dt = t - at;
        request_s += dt * (double)n;
        v += dt * speed;
        cpu_s += dt * share;
        at = t;
        if (ends <= arrives) {
            v = heap[0].tag > v ? heap[0].tag : v;
            double span = t - heap[0].arrived;
            pop(n--);
            latency += span;
            histogram[bucket(span)]++;
            ended++;
        } else {
            if (n == 0) v = 0;
            push(n++, (Burst){v - log(unit(key, CPU)), t});
            k++;
            key = mix(BASE + (uint64_t)(k + 1) * GOLDEN);
            area -= log(unit(key, ARRIVAL));
            double y = area;
            arrives = 2.0 * y / (rate + sqrt(rate * rate));
        }
        share = n < cores ? (double)n : cores;
        speed = n ? share / (double)n : 0;
        ends = n ? t + (heap[0].tag > v ? heap[0].tag - v : 0) / speed : INFINITY;
    }
    printf("%.9f %ld %.12g %g %g %ld\n", (double)(clock() - begin) / CLOCKS_PER_SEC, ended, latency, request_s, cpu_s, histogram[2048]);
    return 0;
}
