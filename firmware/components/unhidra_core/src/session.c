#include "session.h"

#include <string.h>

enum { HANDSHAKE_MS = 10000, ANSWER_MS = 30000, STABLE_MS = 60000, SLOW_MS = 900000, SLOWEST_MS = 21600000,
       GOODBYE_MS = 3000 };

uh_status uh_session_init(uh_session *s, const uh_session_options *o) {
    memset(s, 0, sizeof *s);
    s->o = *o;
    s->slow = (uh_backoff){SLOW_MS, SLOWEST_MS, 0};
    s->retry = (uh_backoff){200, 10000, 0};
    if (o->rx_cap < 2048 || o->tx_cap < 2048 || o->scratch_cap < 512)
        return UH_INVALID;
    UH_TRY(uh_sensors_check(o->sensors));
    s->now = o->clock->uptime_ms(o->clock->ctx);
    s->next_attempt = s->now + (o->spread_ms > 0 ? uh_random_below(o->random, o->spread_ms) : 0);
    return UH_OK;
}

static uint64_t tick(uh_session *s) { return s->now = s->o.clock->uptime_ms(s->o.clock->ctx); }

void uh_session_drop(uh_session *s, int code, bool shut_out, uint32_t retry_ms) {
    if (s->connected)
        s->o.stream->close(s->o.stream->ctx);
    if (s->hello && s->now - s->connected_at >= STABLE_MS)
        uh_backoff_reset(&s->backoff);
    s->connected = s->hello = false;
    s->asked = UH_ASK_NOTHING;
    uh_backoff *b = shut_out ? &s->slow : &s->backoff;
    s->next_attempt = tick(s) + uh_backoff_next(b, s->o.random, shut_out ? SLOW_MS : retry_ms);
    s->o.hear(s->o.ctx, shut_out ? UH_EVENT_SHUT_OUT : UH_EVENT_OFFLINE, code);
}

/* frame sends what lies UH_WS_HEAD behind b. */
static uh_status frame(uh_session *s, uh_ws_opcode op, uint8_t *b, size_t n) {
    uint8_t mask[4];
    size_t start, total;
    s->o.random->fill(s->o.random->ctx, mask, sizeof mask);
    UH_TRY(uh_ws_seal(b, n, op, mask, &start, &total));
    return s->o.stream->write(s->o.stream->ctx, b + start, total);
}

uh_status uh_send(uh_session *s, uh_json *w) {
    uh_json_close(w, '}'); /* data */
    uh_json_close(w, '}');
    UH_TRY(uh_json_end(w));
    s->sent_at = s->now;
    return frame(s, UH_WS_TEXT, s->o.tx, w->len);
}

/* control sends a control frame. */
static uh_status control(uh_session *s, uh_ws_opcode op, const void *b, size_t n) {
    uint8_t out[UH_WS_HEAD + UH_WS_MAX_CONTROL];
    if (n > 0)
        memcpy(out + UH_WS_HEAD, b, n);
    return frame(s, op, out, n);
}

/* answer reads the head of the answer, byte by byte: what follows are frames. */
static uh_status answer(uh_session *s, const uint8_t nonce[UH_WS_NONCE], uh_ws_response *r) {
    uint64_t late = tick(s) + HANDSHAKE_MS;
    uh_status got = UH_AGAIN;
    for (size_t n = 0, more; got == UH_AGAIN;) {
        if (n == s->o.tx_cap || tick(s) >= late)
            return UH_PROTOCOL;
        uh_status io = s->o.stream->read(s->o.stream->ctx, s->o.tx + n, 1, (uint32_t)(late - s->now), &more);
        if (io == UH_AGAIN)
            continue;
        UH_TRY(io);
        if (s->o.tx[n++] == '\n')
            got = uh_ws_read_response((const char *)s->o.tx, n, nonce, r);
    }
    return got;
}

static uh_status handshake(uh_session *s, uh_ws_response *r) {
    uint8_t nonce[UH_WS_NONCE];
    size_t n;
    s->o.random->fill(s->o.random->ctx, nonce, sizeof nonce);
    UH_TRY(uh_ws_request(s->o.host, s->o.path, s->o.key, nonce, (char *)s->o.tx, s->o.tx_cap, &n));
    uh_status sent = s->o.stream->write(s->o.stream->ctx, s->o.tx, n);
    uh_wipe(s->o.tx, n); /* the key was in it */
    UH_TRY(sent);
    return answer(s, nonce, r);
}

static void attempt(uh_session *s) {
    uh_ws_response r = {0};
    uh_status got = s->o.stream->open(s->o.stream->ctx);
    if (got == UH_OK) {
        s->connected = true;
        got = handshake(s, &r);
    }
    tick(s);
    if (got == UH_REFUSED) {
        /* A key that was good before may be suspended, and good again soon. */
        bool shut_out = r.status == 403 || (r.status == 401 && !s->was_online);
        uh_session_drop(s, r.status, shut_out, r.retry_after * 1000);
        return;
    }
    if (got != UH_OK) {
        uh_session_drop(s, (int)got, false, 0);
        return;
    }
    uh_ws_receive(&s->receiver, s->o.rx, s->o.rx_cap);
    s->connected_at = s->heard_at = s->sent_at = s->now;
    s->silence_ms = ANSWER_MS;
    s->describe = s->ask_commands = true;
    s->hold_until = 0;
    uh_backoff_reset(&s->retry);
}

/* closed ends a connection as the server's close frame says. */
static void closed(uh_session *s) {
    const uh_ws_receiver *r = &s->receiver;
    int code = uh_ws_close_code(r);
    uh_slice reason = {(const char *)r->control + 2, r->control_len > 2 ? r->control_len - 2u : 0};
    bool shut_out = code == 4400 || code == 4401 || code == 4403 || code == 1002 || code == 1003 || code == 1007 ||
                    code == 1009 ||
                    (code == 4410 && !uh_slice_is(reason, "suspended") && !uh_slice_is(reason, "owner_disabled"));
    uint32_t wait = 0;
    if (code == 1012 || code == 4429)
        for (size_t i = 0; i < reason.n && reason.b[i] >= '0' && reason.b[i] <= '9' && wait < 100000; i++)
            wait = wait * 10 + (uint32_t)(reason.b[i] - '0');
    (void)control(s, UH_WS_CLOSE, r->control, r->control_len < 2 ? 0 : 2);
    uh_session_drop(s, code, shut_out, wait * 1000);
}

static void fail(uh_session *s, uh_status why) {
    uint8_t code[2] = {1002 >> 8, why == UH_SYNTAX ? 1007 & 0xFF : 1002 & 0xFF};
    if (why == UH_PROTOCOL || why == UH_SYNTAX)
        (void)control(s, UH_WS_CLOSE, code, sizeof code);
    uh_session_drop(s, (int)why, false, 0);
}

static void take(uh_session *s, size_t n) {
    for (size_t at = 0; at < n && s->connected;) {
        size_t used;
        uh_ws_event e;
        uh_status got = uh_ws_feed(&s->receiver, s->in + at, n - at, &used, &e);
        at += used;
        if (got == UH_OK && e == UH_WS_GOT_PING)
            got = control(s, UH_WS_PONG, s->receiver.control, s->receiver.control_len);
        if (got != UH_OK)
            fail(s, got);
        else if (e == UH_WS_GOT_CLOSE)
            closed(s);
        else if (e == UH_WS_GOT_TEXT)
            uh_session_text(s, (uh_slice){(const char *)s->o.rx, s->receiver.len}, s->receiver.truncated);
    }
}

/* keep puts what was measured into an outbox. */
static void keep(uh_session *s, uh_outbox *o, const uh_reading *r, size_t n) {
    uh_status got = uh_outbox_add(o, s->now, r, n);
    if (got == UH_SPACE && n > 1) { /* more than a record has */
        keep(s, o, r, n / 2);
        keep(s, o, r + n / 2, n - n / 2);
    } else if (got != UH_OK) {
        s->o.hear(s->o.ctx, UH_EVENT_FLASH, (int)got);
    }
}

/* urgent_first moves urgent readings to the front, and returns how many there are. */
static size_t urgent_first(const uh_sensors *sensors, uh_reading *r, size_t n) {
    size_t front = 0;
    for (size_t i = 0; i < n; i++)
        if (uh_sensors_find(sensors, r[i].id)->urgent) {
            uh_reading one = r[i];
            memmove(r + front + 1, r + front, (i - front) * sizeof *r);
            r[front++] = one;
        }
    return front;
}

static void measure(uh_session *s) {
    uh_reading out[UH_SENSORS_MAX];
    size_t n = uh_sensors_poll(s->o.sensors, s->now, out), urgent = 0;
    uint64_t unix_ms = s->o.clock->unix_ms != NULL ? s->o.clock->unix_ms(s->o.clock->ctx) : 0;
    if (s->o.urgent != NULL) {
        urgent = urgent_first(s->o.sensors, out, n);
        if (urgent > 0)
            keep(s, s->o.urgent, out, urgent);
        (void)uh_outbox_anchor(s->o.urgent, s->now, unix_ms);
    }
    if (n > urgent)
        keep(s, s->o.outbox, out + urgent, n - urgent);
    (void)uh_outbox_anchor(s->o.outbox, s->now, unix_ms);
}

/* until returns how long there is nothing to do, at most wait_ms. */
static uint32_t until(const uh_session *s, uint64_t when, uint32_t wait_ms) {
    return when <= s->now ? 0 : when - s->now < wait_ms ? (uint32_t)(when - s->now) : wait_ms;
}

uint32_t uh_session_step(uh_session *s, uint32_t wait_ms) {
    tick(s);
    measure(s);
    if (!s->connected && s->now >= s->next_attempt)
        attempt(s);
    wait_ms = until(s, uh_sensors_next(s->o.sensors), wait_ms);
    if (!s->connected)
        return until(s, s->next_attempt, wait_ms);
    if (s->hello)
        uh_session_ask(s);
    if (!s->connected)
        return 0;
    if (s->hold_until > s->now)
        wait_ms = until(s, s->hold_until, wait_ms);
    else if (s->o.urgent != NULL && s->o.urgent->waiting > 0 && s->asked == UH_ASK_NOTHING)
        wait_ms = 0;
    else if (s->o.outbox->waiting > 0 && s->asked == UH_ASK_NOTHING)
        wait_ms = until(s, s->o.outbox->first_wait + s->o.batch_ms, wait_ms);
    size_t n = 0;
    uh_status got = s->o.stream->read(s->o.stream->ctx, s->in, sizeof s->in, wait_ms > 0 ? wait_ms : 1, &n);
    tick(s);
    if (got == UH_OK) {
        s->heard_at = s->now;
        take(s, n);
        if (s->connected && !s->hello && s->now - s->connected_at > ANSWER_MS)
            uh_session_drop(s, (int)UH_AGAIN, false, 0); /* pings alone are no answer */
    } else if (got != UH_AGAIN) {
        uh_session_drop(s, (int)got, false, 0);
    } else if (s->now - s->heard_at > s->silence_ms ||
               (s->asked != UH_ASK_NOTHING && s->now - s->sent_at > ANSWER_MS)) {
        uh_session_drop(s, (int)UH_AGAIN, false, 0);
    }
    return 0;
}

void uh_session_leave(uh_session *s, const char *why, uint32_t back_in_s) {
    static const uint8_t goodbye[2] = {1000 >> 8, 1000 & 0xFF};
    uh_json w;
    if (!s->connected)
        return;
    if (s->hello) {
        uh_request(s, &w, "bye", UH_ASK_PING);
        uh_json_text(&w, "reason", why);
        uh_json_uint(&w, "back_in", back_in_s);
        if (uh_send(s, &w) == UH_OK)
            for (uint64_t late = tick(s) + GOODBYE_MS; s->connected && s->asked == UH_ASK_PING && s->now < late;)
                (void)uh_session_step(s, 100); /* until the server has heard it */
        if (!s->connected)
            return;
    }
    (void)control(s, UH_WS_CLOSE, goodbye, sizeof goodbye);
    uh_session_drop(s, 1000, false, 0);
}
