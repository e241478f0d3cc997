/* The output of every peer in C, as of the workers in Swift: one line of key=value. */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double clock_seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

struct meter { double start, cpu; };

static inline struct meter meter_start(void)
{
    struct meter meter = { clock_seconds(CLOCK_MONOTONIC), clock_seconds(CLOCK_PROCESS_CPUTIME_ID) };
    return meter;
}

/* Kilobytes; key is "VmHWM:" or "VmRSS:". */
static inline long memory_kb(const char *key)
{
    char line[256];
    long value = 0;
    FILE *file = fopen("/proc/self/status", "r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key))) value = atol(line + strlen(key));
    fclose(file);
    return value;
}

static inline void say(const char *text)
{
    puts(text);
    fflush(stdout);
}

/* `more` is "" or further key=value pairs, each with a space before it. */
static inline void report(struct meter meter, long messages, const char *more)
{
    double seconds = clock_seconds(CLOCK_MONOTONIC) - meter.start;
    double cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - meter.cpu;
    printf("messages=%ld seconds=%f cpu_us=%f peak_kb=%ld%s\n", messages, seconds, cpu * 1e6,
           memory_kb("VmHWM:"), more);
    fflush(stdout);
}

static inline void fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fputc('\n', stderr);
    exit(1);
}

static inline int compare_doubles(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static inline void channel_name(char *name, size_t size, int channel, int channels)
{
    if (channels == 1) snprintf(name, size, "bench");
    else snprintf(name, size, "bench-%d", channel);
}

#endif
