/* Readers of a stream: counts the events that reach each, and how old they are.

   follow PORT READERS REQUEST [RESUME MARK OWN]

   Opens READERS connections, sends the file REQUEST on each, and prints {"ready": how many have a head of 200, ...}.
   Then takes commands, a line each: "reset" begins to count anew, "until EVENTS SECONDS" reports when so many events
   came since the reset or so much time passed, "report" reports at once. End of input ends it. An event is "~at" and 19
   digits, the time of CLOCK_MONOTONIC in ns at which it was due; nothing else of the stream's form is looked at but the
   chunks of HTTP, so the count is the same for every server.

   A stream that the server ends is opened again, as a browser would, where RESUME is given: that file, with @RESUME@
   replaced by what last followed MARK up to a quote or the line's end, in a stretch with exactly OWN events after it.
   What came after that is not counted, as it comes again. Without RESUME the reader is closed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "histogram.h"

#define MARK "~at"
#define LENGTH 22 /* of the mark and its digits */
#define PENDING 128 /* connections that wait for their head at once */
enum { HEAD, RAW, SIZE, DATA, AFTER, END };
typedef struct { int fd, state, held, again; long left, events, safe; char tail[LENGTH], place[96], *head; int headed; } Reader;

static int epoll, ready, refused, closed, pending, port, own, resumed;
static long events, bytes;
static int64_t first, last;
static Histogram ages;
static Reader *readers;
static char input[1 << 18], why[120], *mark, *resume;

static void event(Reader *r, const char *at, int64_t now) {
    int64_t stamp = 0;
    for (int i = 3; i < LENGTH; i++) stamp = stamp * 10 + (at[i] - '0');
    note(&ages, now - stamp);
    r->events++;
    events++;
    if (!first) first = now;
    last = now;
}

/* Where to go on, once a stretch ends with whole frames. */
static void remember(Reader *r, const char *data, long n) {
    if (n < 2 || memcmp(data + n - 2, "\n\n", 2)) return;
    const char *from = n > 1200 ? data + n - 1200 : data, *found = NULL, *p = from, *stop = data + n;
    while ((p = memmem(p, stop - p, mark, strlen(mark)))) found = p++;
    if (!found) return;
    int after = 0;
    for (p = found; (p = memmem(p, stop - p, MARK, 3)); p++) after++;
    if (after != own) return;
    found += strlen(mark);
    int size = 0;
    while (found + size < stop && found[size] != '\n' && found[size] != '"' && size < 95) size++;
    memcpy(r->place, found, size);
    r->place[size] = 0;
    r->safe = r->events;
}

/* A stretch of the body; a mark may begin in one and end in the next. */
static void marks(Reader *r, char *data, long n, int64_t now) {
    if (r->held) {
        char seam[2 * LENGTH];
        int more = n < LENGTH ? n : LENGTH;
        memcpy(seam, r->tail, r->held);
        memcpy(seam + r->held, data, more);
        int whole = r->held + more;
        for (int i = 0; i < r->held; i++) {
            if (seam[i] != '~' || memcmp(seam + i, MARK, whole - i < 3 ? whole - i : 3)) continue;
            if (whole - i >= LENGTH) { event(r, seam + i, now); break; }
            if (n < LENGTH) { /* still not whole: keep all of it */
                memmove(r->tail, seam + i, whole - i);
                r->held = whole - i;
                return;
            }
        }
        r->held = 0;
    }
    char *p = data, *stop = data + n;
    while (p < stop && (p = memchr(p, '~', stop - p))) {
        long rest = stop - p;
        if (memcmp(p, MARK, rest < 3 ? rest : 3)) { p++; continue; }
        if (rest < LENGTH) { memcpy(r->tail, p, rest); r->held = rest; return; }
        event(r, p, now);
        p += LENGTH;
    }
}

static void body(Reader *r, char *data, long n, int64_t now) {
    marks(r, data, n, now);
    if (mark) remember(r, data, n);
}

static void chunks(Reader *r, char *p, char *stop, int64_t now) {
    while (p < stop) {
        if (r->state == RAW) { body(r, p, stop - p, now); return; }
        if (r->state == DATA) {
            long n = stop - p < r->left ? stop - p : r->left;
            body(r, p, n, now);
            p += n;
            if (!(r->left -= n)) r->state = AFTER;
        } else if (r->state == AFTER) {
            if (*p++ == '\n') { r->state = SIZE; r->left = 0; }
        } else { /* SIZE: hexadecimal digits, then the line's end */
            char x = *p++;
            if (x == '\n') {
                r->state = r->left ? DATA : END;
                if (r->state == END) return; /* a connection that stays open after its answer */
            }
            else if (x >= '0' && x <= '9') r->left = r->left * 16 + x - '0';
            else if ((x | 32) >= 'a' && (x | 32) <= 'f') r->left = r->left * 16 + (x | 32) - 'a' + 10;
        }
    }
}

static void open_one(Reader *r, int number, const char *request, int size) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 256 + number / 20000)};
    int one = 1;
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(r->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (r->fd < 0 || bind(r->fd, (void *)&from, sizeof from) || connect(r->fd, (void *)&to, sizeof to) || write(r->fd, request, size) != size) {
        perror("connect");
        exit(1);
    }
    fcntl(r->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = r};
    epoll_ctl(epoll, EPOLL_CTL_ADD, r->fd, &e);
    r->state = HEAD;
    r->held = r->headed = 0;
    r->left = 0;
}

static void leave(Reader *r) {
    close(r->fd);
    r->fd = -1;
    if (r->state == HEAD) {
        if (r->again) closed++;
        else pending--, refused++;
    } else if (resume && r->place[0]) {
        static char request[8192];
        char *at = strstr(resume, "@RESUME@");
        int size = snprintf(request, sizeof request, "%.*s%s%s", (int)(at - resume), resume, r->place, at + 8);
        events -= r->events - r->safe;
        r->events = r->safe;
        r->again = 1;
        resumed++;
        open_one(r, r - readers, request, size);
    } else closed++;
}

static void arrived(Reader *r, char *data, long n, int64_t now) {
    if (r->state != HEAD) {
        chunks(r, data, data + n, now);
        if (r->state == END) leave(r);
        return;
    }
    r->head = realloc(r->head, r->headed + n + 1);
    memcpy(r->head + r->headed, data, n);
    r->headed += n;
    r->head[r->headed] = 0;
    char *stop = memmem(r->head, r->headed, "\r\n\r\n", 4);
    if (!stop) return;
    *stop = 0;
    if (strncmp(r->head + 8, " 200", 4)) {
        if (!why[0]) for (int i = 0; i < 110 && r->head[i] >= ' '; i++) why[i] = r->head[i] == '"' ? ' ' : r->head[i];
        leave(r);
        return;
    }
    r->state = strcasestr(r->head, "\r\ntransfer-encoding: chunked") ? SIZE : RAW;
    if (!r->again) pending--, ready++;
    chunks(r, stop + 4, r->head + r->headed, now);
    free(r->head);
    r->head = NULL;
    if (r->state == END) leave(r);
}

static void serve(int wait) {
    struct epoll_event found[512];
    int n = epoll_wait(epoll, found, 512, wait);
    for (int i = 0; i < n; i++) {
        Reader *r = found[i].data.ptr;
        if (!r) continue;
        ssize_t got = read(r->fd, input, sizeof input);
        if (got < 0 && errno == EAGAIN) continue;
        if (got <= 0) { leave(r); continue; }
        bytes += got;
        arrived(r, input, got, clock_ns());
    }
}

static void report(int count) {
    long least = -1;
    for (int i = 0; i < count; i++) if (least < 0 || readers[i].events < least) least = readers[i].events;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"events\": %ld, \"least\": %ld, \"bytes\": %ld, \"closed\": %d, \"resumed\": %d, \"first\": %ld, \"last\": %ld, \"p50\": %.3f, \"p99\": %.3f, \"max\": %.3f, \"cpu\": %.3f}\n",
           events, least, bytes, closed, resumed, (long)first, (long)last, rank(&ages, 0.5) / 1e6, rank(&ages, 0.99) / 1e6, ages.largest / 1e6, cpu);
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 7) { fprintf(stderr, "follow PORT READERS REQUEST [RESUME MARK OWN]\n"); return 2; }
    port = atoi(argv[1]);
    int count = atoi(argv[2]);
    static char request[8192];
    FILE *f = fopen(argv[3], "r");
    if (!f) { perror(argv[3]); return 1; }
    int size = fread(request, 1, sizeof request, f);
    fclose(f);
    if (argc == 7) {
        static char text[8192];
        if (!(f = fopen(argv[4], "r"))) { perror(argv[4]); return 1; }
        text[fread(text, 1, sizeof text - 1, f)] = 0;
        fclose(f);
        resume = text;
        mark = argv[5];
        own = atoi(argv[6]);
    }
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    epoll = epoll_create1(0);
    readers = calloc(count, sizeof(Reader));
    int64_t begin = clock_ns();
    for (int i = 0; i < count; i++) {
        open_one(&readers[i], i, request, size);
        pending++;
        while (pending >= PENDING && clock_ns() - begin < 60000000000) serve(10);
    }
    while (pending && clock_ns() - begin < 60000000000) serve(10);
    printf("{\"ready\": %d, \"refused\": %d, \"seconds\": %.3f, \"why\": \"%s\"}\n", ready, refused + pending, (clock_ns() - begin) / 1e9, why);
    fflush(stdout);
    fcntl(0, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &e);
    char line[256];
    int have = 0;
    long wanted = -1;
    int64_t limit = 0;
    for (;;) {
        serve(wanted >= 0 ? 5 : 50);
        if (wanted >= 0 && (events >= wanted || clock_ns() > limit)) { wanted = -1; report(count); }
        ssize_t n = read(0, line + have, sizeof line - 1 - have);
        if (!n) return 0;
        if (n > 0) have += n;
        char *stop;
        while ((stop = memchr(line, '\n', have))) {
            *stop = 0;
            double seconds;
            if (!strcmp(line, "reset")) {
                events = bytes = first = last = resumed = 0;
                memset(&ages, 0, sizeof ages);
                for (int i = 0; i < count; i++) readers[i].events = readers[i].safe = 0;
                printf("{}\n");
                fflush(stdout);
            } else if (!strcmp(line, "report")) report(count);
            else if (sscanf(line, "until %ld %lf", &wanted, &seconds) == 2) limit = clock_ns() + (int64_t)(seconds * 1e9);
            have -= stop + 1 - line;
            memmove(line, stop + 1, have);
        }
    }
}
