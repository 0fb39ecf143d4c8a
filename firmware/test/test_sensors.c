#include "test.h"
#include "unhidra/sensors.h"

static uh_status from(void *ctx, int64_t *v) {
    int64_t *p = ctx;
    *v = *p;
    return *p == -999 ? UH_IO : UH_OK;
}

static int64_t air, door;
static const uh_sensor list[] = {
    {.id = 1, .kind = UH_NUMBER, .decimals = 1, .bounded = true, .name = "temperature", .unit = "Cel", .min = -400,
     .max = 850, .period_ms = 1000, .deadband = 5, .silence_ms = 60000, .read = from, .ctx = &air},
    {.id = 2, .kind = UH_BOOL, .name = "door", .period_ms = 100, .deadband = 1, .read = from, .ctx = &door},
    {.id = 3, .kind = UH_NUMBER, .name = "steps", .period_ms = 700, .read = from, .ctx = &door},
};

static void reports(void) {
    uh_sensor_state states[3] = {0};
    uh_sensors s = {list, states, 2};
    uh_reading out[UH_SENSORS_MAX];
    CHECK(uh_sensors_check(&s) == UH_OK && uh_sensors_find(&s, 2) == &list[1] && uh_sensors_find(&s, 3) == NULL);
    air = 200;
    CHECK(uh_sensors_poll(&s, 0, out) == 2 && out[0].value == 200 && out[0].decimals == 1 && out[1].kind == UH_BOOL);
    CHECK(uh_sensors_next(&s) == 100 && uh_sensors_poll(&s, 99, out) == 0);
    air = 204; /* less than the deadband */
    CHECK(uh_sensors_poll(&s, 1000, out) == 0);
    air = 195;
    CHECK(uh_sensors_poll(&s, 2000, out) == 1 && out[0].value == 195);
    CHECK(uh_sensors_poll(&s, 61999, out) == 0 && uh_sensors_next(&s) == 62099);
    CHECK(uh_sensors_poll(&s, 62999, out) == 1 && out[0].id == 1); /* it was silent for long enough */
    door = 1;
    CHECK(uh_sensors_poll(&s, 63199, out) == 1 && out[0].id == 2);
    air = -999;
    CHECK(uh_sensors_poll(&s, 70000, out) == 0);
    air = 851;
    CHECK(uh_sensors_poll(&s, 71000, out) == 0 && states[0].failed == 2);
    air = INT64_MIN;
    door = 0;
    s.count = 3;
    CHECK(uh_sensors_poll(&s, 90000, out) == 2 && out[1].id == 3);
    CHECK(uh_sensors_poll(&s, 90700, out) == 1 && out[0].id == 3); /* each value is worth it */
}

static void refuses(void) {
    uh_sensor bad[][2] = {{list[0], list[0]}, {list[0], list[1]}, {list[0], list[1]}, {list[0], list[1]}};
    bad[1][1].name = "two words";
    bad[2][1].id = 0;
    bad[3][1].decimals = 10;
    for (size_t i = 0; i < 4; i++) {
        uh_sensor_state states[2] = {0};
        uh_sensors s = {bad[i], states, 2};
        CHECK(uh_sensors_check(&s) == UH_INVALID);
    }
}

static void describes(void) {
    uh_sensors s = {list, NULL, 2};
    char b[256];
    uh_json w;
    uh_json_begin(&w, b, sizeof b);
    uh_json_open(&w, NULL, '{');
    uh_sensors_describe(&s, &w);
    uh_json_close(&w, '}');
    CHECK_TEXT(b, w.len,
               "{\"sensors\":[{\"name\":\"temperature\",\"kind\":\"number\",\"unit\":\"Cel\",\"precision\":1,"
               "\"min\":-40.0,\"max\":85.0},{\"name\":\"door\",\"kind\":\"bool\"}]}");
}

void test_sensors(void) {
    reports();
    refuses();
    describes();
}
