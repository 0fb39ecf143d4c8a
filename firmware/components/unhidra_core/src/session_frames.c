#include <string.h>

#include "session.h"

enum { SILENT_PERIODS = 2, GRACE_MS = 10000 };

/* digits writes the number of a request. */
static const char *digits(uint32_t v, char out[12]) {
    char *p = out + 11;
    *p = '\0';
    do
        *--p = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    return p;
}

void uh_request(uh_session *s, uh_json *w, const char *type, uh_ask ask) {
    char id[12];
    s->asked = ask;
    s->request++;
    uh_json_begin(w, (char *)s->o.tx + UH_WS_HEAD, s->o.tx_cap - UH_WS_HEAD);
    uh_json_open(w, NULL, '{');
    uh_json_text(w, "id", digits(s->request, id));
    uh_json_text(w, "type", type);
    uh_json_open(w, "data", '{');
}

static void describe(uh_session *s, uh_json *w) {
    const uh_session_options *o = &s->o;
    uh_request(s, w, "describe", UH_ASK_DESCRIBE);
    uh_json_open(w, "capabilities", '{');
    if (o->model != NULL)
        uh_json_text(w, "model", o->model);
    if (o->version != NULL)
        uh_json_text(w, "firmware", o->version);
    if (o->serial != NULL)
        uh_json_text(w, "serial", o->serial);
    if (o->heartbeat_s > 0)
        uh_json_uint(w, "heartbeat", o->heartbeat_s);
    uh_sensors_describe(o->sensors, w);
    uh_json_open(w, "actuators", '[');
    for (size_t i = 0; i < o->action_count; i++) {
        uh_json_open(w, NULL, '{');
        uh_json_text(w, "name", o->actions[i].name);
        if (o->actions[i].args != NULL)
            uh_json_raw(w, "args", uh_slice_of(o->actions[i].args));
        if (o->actions[i].destructive)
            uh_json_bool(w, "destructive", true);
        uh_json_close(w, '}');
    }
    uh_json_close(w, ']');
    uh_json_close(w, '}');
}

static void result(uh_session *s, uh_json *w, const uh_command *c) {
    uh_request(s, w, "command_result", UH_ASK_RESULT);
    memcpy(s->command, c->id, sizeof s->command);
    uh_json_text(w, "id", c->id);
    uh_json_text(w, "state", c->state == UH_COMMAND_DONE ? "done" : "failed");
    if (c->state != UH_COMMAND_DONE)
        uh_json_text(w, "error", c->answer);
    else if (c->answer[0] != '\0')
        uh_json_raw(w, "result", uh_slice_of(c->answer));
}

/* report makes a request of the oldest reports. The batch is built behind where its text will be. */
static bool report(uh_session *s, uh_json *w) {
    size_t n, half = (s->o.tx_cap - 128) / 7 * 3; /* as bytes; as text it is 4/3 as long, and begins before them */
    uint8_t *packed = s->o.tx + s->o.tx_cap - half;
    uh_status got = uh_outbox_batch(s->from, s->now, s->o.scratch, s->o.scratch_cap, packed, half, &n, &s->batch);
    if (got != UH_OK) {
        if (got != UH_END)
            s->o.hear(s->o.ctx, UH_EVENT_FLASH, (int)got);
        return false;
    }
    uh_request(s, w, "report", UH_ASK_REPORT);
    uh_json_base64(w, "packed", packed, n);
    return true;
}

/* due says whether an outbox has reports that have waited for so long, or a batch of them. */
static bool due(uh_session *s, uh_outbox *o, uint32_t batch_ms) {
    s->from = o;
    return o != NULL && (o->waiting >= UH_BATCH_REPORTS || (o->waiting > 0 && s->now - o->first_wait >= batch_ms));
}

void uh_session_ask(uh_session *s) {
    uh_json w;
    const uh_command *c;
    const char *type;
    if (s->asked != UH_ASK_NOTHING || s->now < s->hold_until)
        return;
    if (s->describe)
        describe(s, &w);
    else if (s->ask_commands)
        uh_request(s, &w, "commands", UH_ASK_COMMANDS);
    else if ((c = uh_commands_untold(s->o.commands)) != NULL)
        result(s, &w, c);
    else if ((due(s, s->o.urgent, 0) && report(s, &w)) || (due(s, s->o.outbox, s->o.batch_ms) && report(s, &w)))
        ;
    else if (s->o.updater != NULL && (type = uh_updater_due(s->o.updater, s->now)) != NULL) {
        uh_request(s, &w, type, UH_ASK_UPDATER);
        uh_updater_write(s->o.updater, s->now, &w);
    } else if (s->o.heartbeat_s > 0 && s->now - s->sent_at >= (uint64_t)s->o.heartbeat_s * 1000)
        uh_request(s, &w, "ping", UH_ASK_PING);
    else
        return;
    uh_status got = uh_send(s, &w);
    if (got != UH_OK)
        uh_session_drop(s, (int)got, false, 0);
}

static void hello(uh_session *s, uh_slice frame) {
    uh_slice v;
    uint64_t seconds;
    if (s->hello || uh_json_find(frame, "data.me.id", &v) != UH_OK ||
        uh_json_string(v, s->device, sizeof s->device, NULL) != UH_OK)
        return; /* further rooms */
    if (uh_json_find(frame, "data.heartbeat", &v) == UH_OK && uh_json_read_uint(v, &seconds) == UH_OK &&
        seconds < 86400)
        s->silence_ms = (uint32_t)seconds * 1000 * SILENT_PERIODS + GRACE_MS;
    s->hello = s->was_online = true;
    uh_backoff_reset(&s->slow);
    if (s->o.updater != NULL)
        uh_updater_hello(s->o.updater);
    s->o.hear(s->o.ctx, UH_EVENT_ONLINE, 0);
}

/* command has a command carried out, unless it was before. */
static void command(uh_session *s, uh_slice data, bool truncated) {
    uh_slice v, id, action = {NULL, 0}, args = {"{}", 2};
    char answer[UH_COMMAND_ANSWER] = "the device does not know this action";
    uh_commands *c = s->o.commands;
    if (uh_json_get(data, "id", &v) != UH_OK || uh_json_plain(v, &id) != UH_OK)
        return;
    const uh_command *before = uh_commands_find(c, id);
    if (before != NULL) {
        c->kept.list[before - c->kept.list].told = 0; /* the server asks again: it is answered as before */
        return;
    }
    if (uh_commands_begin(c, id) != UH_OK)
        return; /* it comes again with the next connection */
    if (uh_json_get(data, "action", &v) == UH_OK)
        (void)uh_json_plain(v, &action);
    (void)uh_json_get(data, "args", &args);
    uh_status got = UH_MISSING;
    if (truncated)
        memcpy(answer, "the command is too long for the device", 39);
    for (size_t i = 0; i < s->o.action_count && !truncated; i++)
        if (uh_slice_is(action, s->o.actions[i].name)) {
            answer[0] = '\0';
            got = s->o.actions[i].run(s->o.actions[i].ctx, args, answer);
            answer[sizeof answer - 1] = '\0';
            if (got != UH_OK && answer[0] == '\0')
                memcpy(answer, "it failed", 10);
        }
    (void)uh_commands_end(c, id, got == UH_OK ? UH_COMMAND_DONE : UH_COMMAND_FAILED, uh_slice_of(answer));
    s->o.hear(s->o.ctx, UH_EVENT_COMMAND, (int)got);
}

static void commands(uh_session *s, uh_slice frame) {
    uh_slice list, one;
    s->ask_commands = false;
    if (uh_json_find(frame, "data.commands", &list) != UH_OK)
        return;
    for (size_t at = 0; uh_json_item(list, &at, &one) == UH_OK;)
        command(s, one, false);
}

/* gap finds the first report of the batch that the server says is missing. */
static uint64_t gap(const uh_batch *b, uh_slice frame) {
    uh_slice list, pair, v;
    uint64_t ends[2];
    if (uh_json_find(frame, "data.missing", &list) != UH_OK)
        return UH_NOTHING_MISSING;
    for (size_t at = 0; uh_json_item(list, &at, &pair) == UH_OK;) {
        size_t in = 0, n = 0;
        while (n < 2 && uh_json_item(pair, &in, &v) == UH_OK && uh_json_read_uint(v, &ends[n]) == UH_OK)
            n++;
        uint64_t last = (uint64_t)b->first + b->count - 1;
        if (n == 2 && ends[0] <= last && ends[1] >= b->first)
            return ends[0] > b->first ? ends[0] : b->first;
    }
    return UH_NOTHING_MISSING;
}

static void reported(uh_session *s, uh_slice frame, bool refused) {
    uh_slice list, one;
    int kinds = refused;
    if (!refused && uh_json_find(frame, "data.refused", &list) == UH_OK)
        for (size_t at = 0; uh_json_item(list, &at, &one) == UH_OK;)
            kinds++;
    if (kinds > 0)
        s->o.hear(s->o.ctx, UH_EVENT_REFUSED, kinds);
    uh_outbox *o = s->from;
    uh_status got = uh_outbox_acked(o, &s->batch, refused ? UH_NOTHING_MISSING : gap(&s->batch, frame));
    if (got != UH_OK)
        s->o.hear(s->o.ctx, UH_EVENT_FLASH, (int)got);
    o->waiting = o->waiting > s->batch.count ? o->waiting - s->batch.count : 0;
    if (o->waiting == 0 && !uh_ring_empty(o->ring))
        o->waiting = 1;
}

/* answered takes the answer to the open request. */
static void answered(uh_session *s, uh_slice frame, bool refused) {
    uh_ask asked = s->asked;
    s->asked = UH_ASK_NOTHING;
    if (!refused)
        uh_backoff_reset(&s->retry);
    switch (asked) {
    case UH_ASK_DESCRIBE:
        s->describe = false;
        break;
    case UH_ASK_COMMANDS:
        commands(s, frame);
        break;
    case UH_ASK_RESULT:
        (void)uh_commands_told(s->o.commands, uh_slice_of(s->command));
        break;
    case UH_ASK_REPORT:
        reported(s, frame, refused);
        break;
    case UH_ASK_UPDATER:
        uh_updater_answer(s->o.updater, frame, refused);
        break;
    default:
        break;
    }
}

/* later says whether an error may pass: then the same is asked again. */
static bool later(uh_session *s, uh_slice frame) {
    uh_slice kind, after;
    int64_t ms = 0;
    if (uh_json_find(frame, "error.kind", &kind) != UH_OK ||
        !(uh_json_is(kind, "unavailable") || uh_json_is(kind, "rate_limited") || uh_json_is(kind, "internal")))
        return false;
    if (uh_json_find(frame, "error.retry_after", &after) == UH_OK && uh_json_read_scaled(after, 3, &ms) != UH_OK)
        ms = 0;
    uint32_t least = ms > 0 && ms < 3600000 ? (uint32_t)ms : 0;
    if (s->asked == UH_ASK_UPDATER)
        uh_updater_again(s->o.updater);
    s->hold_until = s->now + uh_backoff_next(&s->retry, s->o.random, least);
    s->asked = UH_ASK_NOTHING;
    return true;
}

void uh_session_text(uh_session *s, uh_slice frame, bool truncated) {
    uh_slice type, id, data, text;
    char want[12];
    if (uh_json_get(frame, "type", &type) != UH_OK)
        return;
    if (uh_json_get(frame, "id", &id) == UH_OK) {
        bool error = uh_json_is(type, "error");
        if (s->asked == UH_ASK_NOTHING || uh_json_plain(id, &text) != UH_OK ||
            !uh_slice_is(text, digits(s->request, want)))
            return;
        if (!error || !later(s, frame))
            answered(s, frame, error);
        return;
    }
    if (uh_json_is(type, "hello"))
        hello(s, frame);
    else if (uh_json_is(type, "command") && uh_json_find(frame, "data", &data) == UH_OK)
        command(s, data, truncated);
    else if (uh_json_is(type, "firmware.offer") && s->o.updater != NULL && uh_json_find(frame, "data", &data) == UH_OK)
        uh_updater_offered(s->o.updater, s->device, data, truncated);
}
