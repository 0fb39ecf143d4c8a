/* Drivers, with what their data sheets say goes over the bus: none of it was recorded from a part. The numbers of
 * BME280 are of the example of BST-BMP280-DS001 (section 3.12), whose formulas for temperature and pressure are the
 * same, and of the formulas in floating point. */
#include <math.h>

#include "test.h"
#include "unhidra/drivers.h"

/* A bus that is a script: what is written must be what stands there, and what is read comes from there. */
typedef struct {
    uint8_t address;
    uint8_t w[3];
    size_t wn;
    const uint8_t *r;
    size_t rn;
    uh_status gives;
} step;

static struct {
    const step *steps;
    size_t count, at;
    const uint16_t *us;
    size_t levels, asked;
    const int32_t *mv;
    uint32_t count_now;
    uint64_t now;
    int pin, duty;
    int32_t chip;
    uh_status fails;
} bus;

static uh_status i2c(void *ctx, uint8_t address, const uint8_t *w, size_t wn, uint8_t *r, size_t rn) {
    (void)ctx;
    CHECK(bus.at < bus.count);
    if (bus.at == bus.count)
        return UH_IO;
    const step *s = &bus.steps[bus.at++];
    CHECK(address == s->address && wn == s->wn && memcmp(w, s->w, wn) == 0 && rn == s->rn);
    if (rn > 0 && rn == s->rn && s->r != NULL)
        memcpy(r, s->r, rn);
    return s->gives;
}

static uh_status levels(void *ctx, uint8_t pin, uint16_t low_us, uint16_t *us, size_t cap, size_t *n) {
    (void)ctx;
    CHECK(pin == 4 && low_us >= 1000 && cap >= bus.levels);
    bus.asked++;
    memcpy(us, bus.us, bus.levels * sizeof *us);
    *n = bus.levels;
    return bus.fails;
}

static uh_status millivolts(void *ctx, uint8_t channel, int32_t *mv) {
    (void)ctx;
    CHECK(channel == 2);
    *mv = bus.mv[bus.at++ % 5];
    return bus.fails;
}

static uh_status count(void *ctx, uint8_t unit, uint32_t *n) {
    (void)ctx;
    CHECK(unit == 1);
    *n = bus.count_now;
    return bus.fails;
}

static uh_status set_pin(void *ctx, uint8_t pin, bool high) {
    (void)ctx;
    CHECK(pin == 5);
    if (bus.fails == UH_OK)
        bus.pin = high;
    return bus.fails;
}

static uh_status set_duty(void *ctx, uint8_t channel, uint16_t thousandths) {
    (void)ctx;
    CHECK(channel == 3);
    bus.duty = thousandths;
    return bus.fails;
}

static uh_status chip_temperature(void *ctx, int32_t *t) {
    (void)ctx;
    *t = bus.chip;
    return bus.fails;
}

static uint64_t uptime(void *ctx) {
    (void)ctx;
    return bus.now;
}

static const uh_bus port = {NULL, i2c, levels, millivolts, count, set_pin, set_duty, chip_temperature};
static const uh_bus bare = {0};
static const uh_clock clock = {NULL, uptime, NULL};

/* read reads a sensor as the core does: what is beyond its bounds is no reading. */
static uh_status read(uh_sensor s, int64_t *v) {
    uh_sensors one = {&s, NULL, 1};
    CHECK(uh_sensors_check(&one) == UH_OK);
    uh_status got = s.read(s.ctx, v);
    return got == UH_OK && s.bounded && (*v < s.min || *v > s.max) ? UH_INVALID : got;
}

static void chip(void) {
    int64_t v;
    bus.chip = 48670;
    CHECK(read(uh_chip_temperature(&port, 1, "chip"), &v) == UH_OK && v == 486);
    bus.chip = -12345;
    CHECK(read(uh_chip_temperature(&port, 1, "chip"), &v) == UH_OK && v == -123);
    CHECK(read(uh_chip_temperature(&bare, 1, "chip"), &v) == UH_MISSING);
    bus.fails = UH_IO;
    CHECK(read(uh_chip_temperature(&port, 1, "chip"), &v) == UH_IO);
    bus.fails = UH_OK;
}

static int64_t volts(uh_analog *a, int32_t mv, uh_status want) {
    static int32_t spikes[5];
    int64_t v = 0;
    for (size_t i = 0; i < 5; i++)
        spikes[i] = mv;
    spikes[1] = 3300; /* two of five are noise */
    spikes[3] = 0;
    bus.mv = spikes;
    bus.at = 0;
    CHECK(read(uh_analog_sensor(a, 1, "level", "m", 3), &v) == want);
    return v;
}

/* A pressure sensor for a well of 5 m: 4 to 20 mA over 150 ohms. The other one falls while its voltage rises. */
static void analog(void) {
    uh_analog well = {&port, 2, {600, 3000}, {0, 5000}}, falls = {&port, 2, {2500, 500}, {-200, 800}};
    CHECK(volts(&well, 600, UH_OK) == 0 && volts(&well, 3000, UH_OK) == 5000 && volts(&well, 1800, UH_OK) == 2500);
    CHECK(volts(&well, 601, UH_OK) == 2 && volts(&well, 1799, UH_OK) == 2498);
    CHECK(volts(&well, 552, UH_OK) == 0 && volts(&well, 3048, UH_OK) == 5000); /* a little beyond */
    volts(&well, 551, UH_INVALID);
    volts(&well, 3049, UH_INVALID);
    volts(&well, 0, UH_INVALID); /* the wire is broken */
    CHECK(volts(&falls, 2500, UH_OK) == -200 && volts(&falls, 500, UH_OK) == 800 && volts(&falls, 1999, UH_OK) == 51);
    uh_sensor s = uh_analog_sensor(&falls, 1, "x", NULL, 0);
    CHECK(s.min == -200 && s.max == 800);
    well.mv[1] = 600;
    volts(&well, 600, UH_INVALID);
    well.bus = &bare;
    volts(&well, 600, UH_MISSING);
}

/* A trace of DHT22 as the data sheet draws it, with bits as long as they may be. */
static size_t trace(const uint8_t b[5], uint16_t us[96], uint16_t zero, uint16_t one) {
    size_t n = 0;
    us[n++] = 25;
    us[n++] = 80;
    us[n++] = 80;
    for (size_t i = 0; i < 40; i++) {
        us[n++] = (uint16_t)(48 + i % 7);
        us[n++] = (b[i / 8] >> (7 - i % 8) & 1) != 0 ? one : zero;
    }
    us[n++] = 50;
    return n;
}

static void dht22(void) {
    static const uint8_t warm[5] = {0x02, 0x8C, 0x01, 0x5F, 0xEE}, cold[5] = {0x02, 0x8C, 0x80, 0x65, 0x73};
    uint16_t us[96];
    int16_t humidity, temperature;
    int64_t v;
    /* The examples of the data sheet of AM2302: 65.2 %, and 35.1 and -10.1 degrees. */
    for (uint16_t zero = 22, one = 68; zero <= 30; zero++, one++) {
        size_t n = trace(warm, us, zero, one);
        CHECK(uh_dht22_decode(us, n, &humidity, &temperature) == UH_OK && humidity == 652 && temperature == 351);
        n = trace(cold, us, zero, one);
        CHECK(uh_dht22_decode(us, n, &humidity, &temperature) == UH_OK && humidity == 652 && temperature == -101);
        for (size_t cut = 0; cut < 83; cut++)
            CHECK(uh_dht22_decode(us, cut, &humidity, &temperature) == UH_PROTOCOL);
        us[4 + 2 * 7] = (uint16_t)(zero + one - us[4 + 2 * 7]); /* a bit the other way round */
        CHECK(uh_dht22_decode(us, n, &humidity, &temperature) == UH_PROTOCOL);
        us[4 + 2 * 7] = 300;
        CHECK(uh_dht22_decode(us, n, &humidity, &temperature) == UH_PROTOCOL);
    }
    uh_dht22 d = {.bus = &port, .clock = &clock, .pin = 4};
    uh_sensor wet = uh_dht22_humidity(&d, 1, "humidity"), air = uh_dht22_temperature(&d, 2, "air");
    bus.us = us;
    bus.levels = trace(warm, us, 26, 70);
    bus.now = 0;
    CHECK(read(wet, &v) == UH_OK && v == 652 && read(air, &v) == UH_OK && v == 351 && bus.asked == 1);
    bus.now = 1999;
    bus.fails = UH_IO;
    CHECK(read(air, &v) == UH_OK && bus.asked == 1); /* too early to ask again */
    bus.now = 2000;
    CHECK(read(air, &v) == UH_IO && read(wet, &v) == UH_IO && bus.asked == 2);
    bus.fails = UH_OK;
    bus.now = 4000;
    bus.levels = 0; /* nothing is connected */
    CHECK(read(air, &v) == UH_PROTOCOL && bus.asked == 3);
    d.bus = &bare;
    CHECK(read(wet, &v) == UH_MISSING);
}

/* The registers of a chip that was calibrated as in the example, where there is none of humidity: these are others. */
static const uint8_t id_good[] = {0x60}, id_other[] = {0x58};
static const uint8_t calibration[26] = {0x70, 0x6B, 0x43, 0x67, 0x18, 0xFC, 0x7D, 0x8E, 0x43, 0xD6, 0xD0, 0x0B, 0x27,
                                        0x0B, 0x8C, 0x00, 0xF9, 0xFF, 0x8C, 0x3C, 0xF8, 0xC6, 0x70, 0x17, 0x00, 0x4B};
static const uint8_t wet[7] = {0x6A, 0x01, 0x00, 0x14, 0x2D, 0x03, 0x1E};
static const uint8_t measured[11] = {0x27, 0xA0, 0x00, 0x65, 0x5A, 0xC0, 0x7E, 0xED, 0x00, 0x6B, 0x36};
static const uint8_t waiting[11] = {0x27, 0xA0, 0x00, 0x80, 0x00, 0x00, 0x80, 0x00, 0x00, 0x80, 0x00};
static const uint8_t asleep[11] = {0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x80, 0x00, 0x00, 0x80, 0x00};

#define BEGINS                                                                                                   \
    {0x76, {0xD0}, 1, id_good, 1, UH_OK}, {0x76, {0x88}, 1, calibration, 26, UH_OK}, {0x76, {0xE1}, 1, wet, 7, UH_OK}, \
        {0x76, {0xF2, 0x01}, 2, NULL, 0, UH_OK}, {0x76, {0xF5, 0xA0}, 2, NULL, 0, UH_OK},                         \
        {0x76, {0xF4, 0x27}, 2, NULL, 0, UH_OK}
#define READS(what, gives) {0x76, {0xF4}, 1, what, 11, gives}

static void bme280(void) {
    static const step steps[] = {{0x76, {0xD0}, 1, NULL, 1, UH_IO},
                                 {0x76, {0xD0}, 1, id_other, 1, UH_OK},
                                 BEGINS,
                                 READS(waiting, UH_OK),
                                 READS(measured, UH_OK),
                                 READS(measured, UH_OK),
                                 READS(measured, UH_OK),
                                 READS(asleep, UH_OK), /* it has been without power */
                                 BEGINS,
                                 READS(measured, UH_OK),
                                 READS(NULL, UH_IO), /* it was pulled out */
                                 {0x76, {0xD0}, 1, NULL, 1, UH_IO}};
    bus.steps = steps;
    bus.count = sizeof steps / sizeof *steps;
    bus.at = 0;
    uh_bme280 d = {.bus = &port, .address = 0x76};
    uh_bme280_values v;
    int64_t one;
    CHECK(uh_bme280_read(&d, &v) == UH_IO && uh_bme280_read(&d, &v) == UH_INVALID);
    CHECK(uh_bme280_read(&d, &v) == UH_AGAIN && uh_bme280_read(&d, &v) == UH_AGAIN);
    CHECK(d.t1 == 27504 && d.t2 == 26435 && d.t3 == -1000 && d.p1 == 36477 && d.p[0] == -10685 && d.p[7] == 6000);
    CHECK(d.h1 == 75 && d.h2 == 362 && d.h3 == 0 && d.h4 == 333 && d.h5 == 50 && d.h6 == 30);
    CHECK(read(uh_bme280_temperature(&d, 1, "air"), &one) == UH_OK && one == 2508);
    CHECK(read(uh_bme280_pressure(&d, 2, "pressure"), &one) == UH_OK && one == 100653);
    CHECK(read(uh_bme280_humidity(&d, 3, "humidity"), &one) == UH_OK && one > 0 && one < 10000);
    CHECK(uh_bme280_read(&d, &v) == UH_AGAIN && uh_bme280_read(&d, &v) == UH_AGAIN);
    CHECK(uh_bme280_read(&d, &v) == UH_OK && v.temperature == 2508 && v.humidity == one);
    CHECK(uh_bme280_read(&d, &v) == UH_IO && uh_bme280_read(&d, &v) == UH_IO && bus.at == bus.count);
    d.bus = &bare;
    CHECK(uh_bme280_read(&d, &v) == UH_MISSING);
}

/* What the data sheet has in floating point. */
static void floats(const uh_bme280 *d, double t, double p, double h, double out[3]) {
    double a = (t / 16384 - d->t1 / 1024.0) * d->t2, b = t / 131072 - d->t1 / 8192.0;
    double fine = a + b * b * d->t3, x = fine / 2 - 64000;
    double offset = (x * x * d->p[4] / 32768 + x * d->p[3] * 2) / 4 + d->p[2] * 65536.0;
    double slope = (1 + (d->p[1] * x * x / 524288 + d->p[0] * x) / 524288 / 32768) * d->p1;
    double pa = (1048576 - p - offset / 4096) * 6250 / slope;
    out[0] = fine / 5120;
    out[1] = pa + (d->p[7] * pa * pa / 2147483648.0 + pa * d->p[6] / 32768 + d->p[5]) / 16;
    x = fine - 76800;
    double wet_is = (h - (d->h4 * 64.0 + d->h5 / 16384.0 * x)) *
                    (d->h2 / 65536.0 * (1 + d->h6 / 67108864.0 * x * (1 + d->h3 / 67108864.0 * x)));
    wet_is *= 1 - d->h1 * wet_is / 524288;
    out[2] = wet_is < 0 ? 0 : wet_is > 100 ? 100 : wet_is;
}

/* Both forms of the formulas agree over all that the chip measures: to 0.01 degrees, 1 Pa and 0.02 %. */
static void compensation(void) {
    uh_bme280 d = {.t1 = 27504, .t2 = 26435, .t3 = -1000, .p1 = 36477,
                   .p = {-10685, 3024, 2855, 140, -7, 15500, -14600, 6000},
                   .h1 = 75, .h2 = 362, .h3 = 0, .h4 = 333, .h5 = 50, .h6 = 30};
    uh_bme280_values v;
    double f[3];
    int compared = 0;
    CHECK(uh_bme280_compensate(&d, 519888, 415148, 27446, &v) == UH_OK);
    floats(&d, 519888, 415148, 27446, f);
    CHECK(fabs(f[0] - 25.08) < 0.005 && fabs(f[1] - 100653.27) < 0.01); /* what the data sheet gets by them */
    for (uint32_t t = 300000; t < 720000; t += 9973)
        for (uint32_t p = 250000; p < 800000; p += 49999)
            for (uint32_t h = 15000; h < 45000; h += 4999) {
                if (uh_bme280_compensate(&d, t, p, h, &v) != UH_OK)
                    continue;
                floats(&d, t, p, h, f);
                compared++;
                CHECK(fabs(f[0] * 100 - v.temperature) <= 1 && fabs(f[1] - v.pressure) <= 1 &&
                      fabs(f[2] * 100 - v.humidity) <= 2);
            }
    CHECK(compared > 1000);
    CHECK(uh_bme280_compensate(&d, 1u << 20, 415148, 27446, &v) == UH_INVALID);
    CHECK(uh_bme280_compensate(&d, 0, 415148, 27446, &v) == UH_INVALID); /* colder than it can be */
    d.p1 = 0; /* and not divided by */
    CHECK(uh_bme280_compensate(&d, 519888, 415148, 27446, &v) == UH_INVALID);
}

static void pulses(void) {
    uh_pulses p = {.bus = &port, .unit = 1, .bits = 16};
    uh_sensor s = uh_pulses_sensor(&p, 1, "energy", "kWh", 3);
    int64_t v;
    bus.count_now = 65530;
    CHECK(read(s, &v) == UH_OK && v == 0); /* from here on */
    bus.count_now = 65535;
    CHECK(read(s, &v) == UH_OK && v == 5);
    bus.count_now = 4;
    CHECK(read(s, &v) == UH_OK && v == 10);
    bus.fails = UH_IO;
    CHECK(read(s, &v) == UH_IO);
    bus.fails = UH_OK;
    bus.count_now = 1004;
    CHECK(read(s, &v) == UH_OK && v == 1010);
    uh_pulses wide = {.bus = &port, .unit = 1, .bits = 32, .has = true, .last = UINT32_MAX};
    CHECK(read(uh_pulses_sensor(&wide, 1, "water", "l", 0), &v) == UH_OK && v == 1005);
    p.bus = &bare;
    CHECK(read(s, &v) == UH_MISSING);
}

static uh_status act(uh_action a, const char *args, char answer[UH_COMMAND_ANSWER]) {
    answer[0] = '\0';
    return a.run(a.ctx, uh_slice_of(args), answer);
}

static void actuators(void) {
    uh_switch s = {.bus = &port, .pin = 5, .inverted = true};
    uh_dimmer d = {.bus = &port, .channel = 3};
    uh_action lamp = uh_switch_action(&s, "lamp"), fan = uh_dimmer_action(&d, "fan");
    char answer[UH_COMMAND_ANSWER];
    int64_t v;
    bus.pin = -1;
    CHECK(uh_switch_set(&s, false) == UH_OK && bus.pin == 1);
    CHECK(act(lamp, "{\"on\":true}", answer) == UH_OK && bus.pin == 0 && answer[0] == '\0');
    CHECK(read(uh_switch_state(&s, 1, "lamp"), &v) == UH_OK && v == 1);
    static const char *const bad[] = {"{}", "{\"on\":1}", "{\"on\":\"true\"}", "[]", ""};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(act(lamp, bad[i], answer) == UH_INVALID && strstr(answer, "true or false") != NULL);
    bus.fails = UH_IO;
    CHECK(act(lamp, "{\"on\":false}", answer) == UH_IO && answer[0] != '\0' && s.on); /* it is as it was */
    bus.fails = UH_OK;
    CHECK(act(fan, "{\"percent\":12.5}", answer) == UH_OK && bus.duty == 125);
    CHECK(read(uh_dimmer_level(&d, 1, "fan"), &v) == UH_OK && v == 125);
    CHECK(act(fan, "{\"percent\":100}", answer) == UH_OK && bus.duty == 1000);
    static const char *const beyond[] = {"{\"percent\":100.1}", "{\"percent\":-1}", "{\"percent\":1e30}",
                                         "{\"percent\":\"5\"}"};
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
        CHECK(act(fan, beyond[i], answer) == UH_INVALID && d.thousandths == 1000 && answer[0] != '\0');
    CHECK(uh_dimmer_set(&d, 1001) == UH_INVALID);
    s.bus = d.bus = &bare;
    CHECK(act(lamp, "{\"on\":true}", answer) == UH_MISSING && act(fan, "{\"percent\":1}", answer) == UH_MISSING);
}

void test_drivers(void) {
    chip();
    analog();
    dht22();
    bme280();
    compensation();
    pulses();
    actuators();
}
